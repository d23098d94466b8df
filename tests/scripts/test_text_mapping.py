import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

import text_mapping
from digits.digit_training import run_script
from rltransfer.errors import ArtifactRefused, InputError
from rltransfer.mapping import Chain, Examples, load_network
from text.retrieval import chance, mutual, profiles, questions, ranks
from text.string_features import Embedding, overlap
from text.text_tables import Classes
from text.translated_strings import (
    ALIKE,
    django_folder,
    near_duplicates,
    read_strings,
    similarity,
    simplified,
    split,
)
from text_mapping import MAPPING, Found, Sides, least_squares, measured, with_pairs

WORDS = {
    "shop": dict(
        zip(
            ("price", "basket", "order", "parcel", "refund", "seller", "invoice"),
            ("kolu", "zanti", "vemri", "tubak", "hosil", "gurfa", "pelno"),
            strict=True,
        )
    ),
    "garden": dict(
        zip(
            ("flower", "hedge", "spade", "lawn", "pond", "seed", "trellis"),
            ("midro", "wexa", "runfi", "blots", "jaquu", "dreni", "fosty"),
            strict=True,
        )
    ),
}
"""By application, English words and those of a made-up language: word for word."""


def write(folder: Path, application: str, entries: str, language: str = "fr") -> Path:
    path = folder / application / "locale" / language / "LC_MESSAGES" / "django.po"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(entries, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def made_up(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder of strings of three words each, and their translations."""
    folder = tmp_path_factory.mktemp("made_up")
    draw = np.random.default_rng(0)
    for application, words in WORDS.items():
        chosen = {tuple(draw.permutation(list(words))[:3]) for _ in range(55)}
        entries = (
            f'msgid "{" ".join(three)}"\n'
            f'msgstr "{" ".join(words[word] for word in three)}"\n'
            for three in sorted(chosen)
        )
        write(folder, application, "\n".join(entries))
    return folder


@pytest.fixture(scope="module")
def known(
    made_up: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Found], Classes, Path]:
    folder = tmp_path_factory.mktemp("stored")
    return *measured(read_strings(made_up, "fr"), 0, 80, folder), folder


def test_pairs_make_a_language_readable(
    known: tuple[dict[str, Found], Classes, Path],
) -> None:
    rows, _, _ = known
    mapped = rows[f"all pairs: {MAPPING}"]
    assert rows["overlap"].at_5 < 40
    assert rows["0 pairs: identity"].at_5 < 40
    assert rows[f"50 pairs: {MAPPING}"].at_5 > 70
    assert mapped.at_5 > 90
    assert mapped.asked_at_5 > 2 * rows["overlap"].asked_at_5
    assert rows["chance"].at_1 == pytest.approx(
        100 * rows["chance"].at_5 / 500, rel=0.1
    )


def test_a_classifier_reads_a_language_that_it_never_saw(
    known: tuple[dict[str, Found], Classes, Path],
) -> None:
    _, reached, folder = known
    assert reached["source, on English", ""] > 95
    assert reached["zero-shot, by pairs", "all"] > 95
    assert reached["zero-shot, by pairs", "none"] < 90
    assert reached["fine-tuned", "all"] > 95
    assert isinstance(load_network(folder / "fr_0", Chain)[1].outputs, int)


def test_the_script_prints_tables_and_draws_them(
    made_up: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--strings", str(made_up), "--languages", "fr", "--seeds", "4"]
    options += ["--updates", "1", "--save", str(tmp_path / "runs")]
    drawn = tmp_path / "text.png"
    text_mapping.main([*options, "--picture", str(drawn)])
    printed = capsys.readouterr().out
    assert "mean ± deviation of seeds [4]" in printed
    assert "Fewer than 200 pairs: nothing is compared." in printed
    assert drawn.read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"fr_4"}


def test_the_same_seed_gives_the_same_mapping(made_up: Path) -> None:
    strings = read_strings(made_up, "fr")
    once, again = (
        with_pairs(Sides.of(strings, 3), 20, 3, 2)[MAPPING] for _ in range(2)
    )
    rows = torch.eye(once.inputs)
    torch.testing.assert_close(once(rows), again(rows), rtol=0, atol=0)


def test_what_django_ships_is_read_and_not_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if find_spec("django") is None:
        pytest.skip("the extra text is missing")
    before = "django" in sys.modules
    options = ["--languages", "fr", "--seeds", "1", "--updates", "1"]
    text_mapping.main([*options, "--save", str(tmp_path)])
    printed = capsys.readouterr().out
    assert "200 pairs: precision at 5 is" in printed
    assert "of classes right, by training on 20 labels" in printed
    assert ("django" in sys.modules) == before


def ended(*options: str) -> object:
    with pytest.raises(SystemExit) as end:
        run_script(lambda: text_mapping.main(options))
    return end.value.code


def test_without_django_one_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "django", None)
    assert ended() == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "pip install 'rltransfer[text]'" in printed.err
    with pytest.raises(InputError, match="no django is installed"):
        django_folder()


def test_bad_input_ends_in_one_line(
    made_up: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = "\n\n".join(
        f'msgid "{a}{b}"\nmsgstr "{b}{a}"' for a in "abcdef" for b in "klmnop"
    )
    write(tmp_path / "one", "shop", shop)
    damaged = write(tmp_path / "two", "shop", 'msgid "a whole one"\nmsgstr "cut of')
    for rule, status, options in (
        ("seeds must differ", 2, ["--seeds", "1", "1"]),
        ("has 0 of 'de'", 2, ["--languages", "de", "--strings", str(made_up)]),
        ("needs two applications", 2, ["--strings", str(tmp_path / "one")]),
        (f"{damaged} is refused", 76, ["--strings", str(tmp_path / "two")]),
    ):
        given = options if "--languages" in options else [*options, "--languages", "fr"]
        assert ended(*given) == status
        printed = capsys.readouterr()
        assert printed.err.count("\n") == 1
        assert rule in printed.err
        assert printed.out == ""


# Strings.


def test_a_catalogue_is_read_as_gettext_writes_it(tmp_path: Path) -> None:
    entries = r"""# A comment.
msgid ""
msgstr "Language: fr\n"

#, fuzzy
msgid "guessed by a machine"
msgstr "deviné"

#, python-format
msgid "%(count)d item"
msgid_plural "%(count)d items"
msgstr[0] "%(count)d article"
msgstr[1] "%(count)d articles"

msgctxt "a verb"
msgid ""
"Say \"yes\""
" twice"
msgstr ""
"Dire « oui » deux fois"

msgid "untranslated"
msgstr ""

#~ msgid "gone"
#~ msgstr "parti"
"""
    for application in ("b", "c"):
        more = "\n".join(
            f'msgid "string {application} {"x" * n}"\nmsgstr "chaîne"\n'
            for n in range(1, 21)
        )
        write(tmp_path, application, more)
    write(tmp_path, "a", entries)
    strings = read_strings(tmp_path, "fr")
    assert strings.english[:2] == ("□ item", 'say "yes" twice')
    assert strings.translated[:2] == ("□ article", "dire « oui » deux fois")
    assert strings.classes == ("b", "c", "other")
    assert strings.labels.bincount().tolist() == [20, 20, 2]


def test_an_entry_without_its_key_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a", '"text of nothing"\n')
    with pytest.raises(ArtifactRefused, match="no whole catalogue"):
        read_strings(tmp_path, "fr")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello  %(name)s, you&nbsp;owe {}", "hello □ , you owe □"),
        ('<a href="%s">All</a>', "◇ all ◇"),
        ("100 % right", "100 % right"),
        ("%s of %d", "□ of □"),
    ],
)
def test_tags_and_placeholders_are_tokens(text: str, expected: str) -> None:
    assert simplified(text) == expected


def test_edit_similarity_by_hand() -> None:
    # kitten → sitten → sittin → sitting
    assert similarity("kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert similarity("same", "same") == similarity("", "") == 1
    assert similarity("", "abc") == 0


def test_near_duplicates_stay_on_one_side(made_up: Path) -> None:
    draw = np.random.default_rng(1)
    side = tuple("".join(draw.choice(list("abc"), 6)) for _ in range(60))
    groups = near_duplicates(side)
    alike = [
        (one, other)
        for one in range(60)
        for other in range(one)
        if similarity(side[one], side[other]) > ALIKE
    ]
    assert len(alike) > 5
    assert all(groups[one] == groups[other] for one, other in alike)
    assert len(set(groups)) > 5
    strings = read_strings(made_up, "fr")
    kept, held = split(strings, 1 / 3, np.random.default_rng(0))
    numbers = torch.tensor(strings.groups)
    assert not set(numbers[kept].tolist()) & set(numbers[held].tolist())
    assert sorted([*kept.tolist(), *held.tolist()]) == list(range(len(strings)))
    assert len(held) >= len(strings) / 3


def test_what_is_alike_in_either_language_stays_together() -> None:
    english = ("red apples", "red apple", "night", "knight")
    other = ("rot", "blau", "ein langes wort", "ein langes worte")
    assert near_duplicates(english, other) == (0, 0, 2, 2)


# Features and retrieval.


def test_overlap_by_hand() -> None:
    # " ab " has 4 + 3 + 2 runs, " a " has 3 + 2 + 1. In common: " " twice, "a", " a".
    found = overlap(["ab", "zz"], ["a", "ab"])
    torch.testing.assert_close(found[0], torch.tensor([2 * 4 / (9 + 6), 1.0]))
    assert found[1, 0].item() == pytest.approx(2 * 2 / (9 + 6))


def test_an_embedding_keeps_likeness_and_has_a_unit() -> None:
    strings = [f"{a} {b}" for a in ("red", "blue", "grey") for b in ("car", "hat")]
    embedding = Embedding.of(strings, 5)
    vectors = embedding(["red car", "red hat", "blue hat", "новый"])
    torch.testing.assert_close(vectors.square().mean(dim=1), torch.ones(4))
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_ranks_count_half_of_the_ties() -> None:
    scores = torch.tensor([[3.0, 2.0, 2.0, 2.0], [1.0, 1.0, 9.0, 0.0]])
    right = torch.tensor([[0, 1, 0, 0], [0, 0, 1, 1]]).bool()
    assert ranks(scores, right).tolist() == [2.0, 0.0]
    assert chance(right).at_1 == pytest.approx(100 * (1 / 4 + 2 / 4) / 2)


def test_mutual_neighbours_by_hand() -> None:
    similar = torch.tensor([[5.0, 1.0], [4.0, 3.0], [0.0, 6.0]])
    rows, columns = mutual(similar)
    assert (rows.tolist(), columns.tolist()) == ([0, 2], [0, 1])


def test_profiles_do_not_depend_on_the_order_of_directions() -> None:
    draw = torch.Generator().manual_seed(0)
    rows = torch.randn(9, 4, generator=draw)
    turned = rows[:, [2, 0, 3, 1]] * torch.tensor([1.0, -1.0, 1.0, -1.0])
    torch.testing.assert_close(profiles(rows), profiles(turned))


def test_questions_hold_half_of_the_words_in_order() -> None:
    texts = ["un deux trois quatre cinq"] * 6
    asked = questions(texts, "fr", np.random.default_rng(0))
    assert asked == questions(texts, "fr", np.random.default_rng(0))
    assert len(set(asked)) > 1
    for question in asked:
        words = [word for word in texts[0].split() if f" {word} " in question]
        assert len(words) == 3
        places = [question.index(f" {word} ") for word in words]
        assert places == sorted(places)


def test_least_squares_by_hand() -> None:
    rows = Examples(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 3.0]]))
    # One pair: w = x y / (x² + x² / 10)
    found = least_squares(rows).weight
    torch.testing.assert_close(
        found.detach(), torch.tensor([[1.0, 3.0], [0.0, 0.0]]) * 2 / 4.4
    )
