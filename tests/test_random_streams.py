import numpy as np
import pytest

from rltransfer.random_streams import RandomStreams

USES = ("exploration", "selection", "fit")


def test_no_two_uses_and_no_two_seeds_share_a_stream() -> None:
    runs = [RandomStreams(seed, *USES) for seed in range(20)]
    firsts = [run.generator(use).random() for run in runs for use in USES]
    integers = [run.integer(use) for run in runs for use in USES]
    assert len(set(firsts)) == len(set(integers)) == 20 * len(USES)


def test_the_same_seed_gives_the_same_streams_however_often_it_is_asked() -> None:
    once, again = RandomStreams(7, *USES), RandomStreams(7, *USES)
    np.testing.assert_array_equal(
        once.generator("fit").random(5), again.generator("fit").random(5)
    )
    assert once.integer("fit") == once.integer("fit") == again.integer("fit")


def test_a_use_that_is_appended_changes_no_other() -> None:
    fewer, more = RandomStreams(3, *USES), RandomStreams(3, *USES, "report")
    assert [fewer.integer(use) for use in USES] == [more.integer(use) for use in USES]


def test_streams_are_numpy_s_children_of_the_seed() -> None:
    children = np.random.SeedSequence(5).spawn(len(USES))
    expected = np.random.default_rng(children[1]).random(3)
    got = RandomStreams(5, *USES).generator("selection").random(3)
    np.testing.assert_array_equal(got, expected)


def test_a_child_spawns_streams_of_its_own() -> None:
    run = RandomStreams(5, *USES)
    child = RandomStreams(run.sequence("fit"), *USES)
    drawn = {RandomStreams(5, *USES).integer(use) for use in USES}
    assert not drawn & {child.integer(use) for use in USES}


def test_integer_seeds_leave_room_for_episodes() -> None:
    for seed in range(200):
        assert 0 <= RandomStreams(seed, "report").integer("report") < 2**31 - 2**20


def test_an_unknown_use_is_an_error() -> None:
    with pytest.raises(KeyError, match="report"):
        RandomStreams(0, *USES).generator("report")
