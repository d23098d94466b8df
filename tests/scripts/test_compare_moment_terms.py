from compare_moment_terms import cell


def test_a_cell_is_the_median_and_each_share() -> None:
    assert cell([1.0, None, 0.5]) == "0.50 (1.00 none 0.50)"
