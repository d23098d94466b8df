from pathlib import Path

import pytest
import torch

import mnist_feature_sharing
from digits.digit_training import accuracy, run_script
from mnist_feature_sharing import OwnHead, joined, trained, verdict
from rltransfer.errors import InputError
from rltransfer.mapping import Affine, CrossEntropy, Examples


def marked(first: int) -> Examples:
    """Returns pictures whose class k is marked by pixel `first` + k."""
    labels = torch.arange(60) % 10
    inputs = torch.rand(60, 784, generator=torch.Generator().manual_seed(first))
    inputs[torch.arange(60), first + labels] = 8
    return Examples(inputs, labels)


def test_each_row_is_judged_among_the_outputs_of_its_own_task() -> None:
    # Two rows, the first of task 0 with label 0, the second of task 1 with label 0.
    rows = joined(
        [Examples(torch.eye(2)[k : k + 1], torch.tensor([0])) for k in (0, 1)]
    )
    assert rows.labels.tolist() == [0, 10]
    weight = torch.zeros(2, 20)
    weight[0, 0], weight[1, 10] = 1.0, 1.0
    loss = OwnHead()(Affine.of(weight, torch.zeros(20)), rows)
    # -log(e / (e + 9)), whatever the other head says.
    assert loss.item() == pytest.approx(1.4612, abs=1e-4)
    weight[0, 10:], weight[1, :10] = 50.0, -50.0
    weight[1, 10] = 1.0
    again = OwnHead()(Affine.of(weight, torch.zeros(20)), rows)
    assert again.item() == pytest.approx(loss.item())


def test_one_task_alone_is_plain_classification() -> None:
    rows, draw = marked(0), torch.Generator().manual_seed(1)
    network = Affine(784, 10, generator=draw)
    plain = CrossEntropy()(network, rows)
    torch.testing.assert_close(OwnHead()(network, rows), plain)


def test_one_trunk_learns_two_tasks_and_repeats_itself() -> None:
    tasks = [marked(0), marked(300)]
    sharing, again = trained(tasks, 1, 0), trained(tasks, 1, 0)
    assert [
        accuracy(network, rows) for network, rows in zip(sharing, tasks, strict=True)
    ] == [100, 100]
    assert sharing[0][0] is sharing[1][0]
    inputs = tasks[0].inputs
    torch.testing.assert_close(sharing[0](inputs), again[0](inputs), rtol=0, atol=0)
    with pytest.raises(InputError, match=r"equally many rows, got \[60, 30\]"):
        trained([tasks[0], tasks[1][:30]], 1, 0)


def test_the_verdict_says_gain_loss_or_neither() -> None:
    assert verdict("100", "A", torch.tensor([1.0, 2.0])).endswith(
        "sharing gains 1.50 points, in 2 of 2 seeds."
    )
    assert "sharing loses 1.50 points" in verdict("100", "A", torch.tensor([-1.0, -2]))
    told = verdict("100", "A", torch.tensor([1.0, -2.0]))
    assert "may do either, -0.50 points on average; above in 1 of 2" in told


def test_the_script_prints_a_row_for_each_size(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data-dir", str(tiny), "--labels", "all", "--epochs", "1"]
    mnist_feature_sharing.main([*words, "--seeds", "0"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Per cent right, mean ± deviation of seeds [0]"
    assert lines[1].split()[1:3] == ["MNIST", "alone"]
    assert lines[2].split()[0] == "all" and lines[2].count("±") == 4
    assert [line.split(",")[0] for line in lines[3:]] == ["MNIST", "Fashion-MNIST"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--epochs", "0"], "--epochs must be at least 1, got 0"),
        (["--seeds", "1", "1"], "seeds must differ"),
    ],
)
def test_wrong_input_is_one_line(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_script(lambda: mnist_feature_sharing.main(words))
    printed = capsys.readouterr()
    assert ended.value.code == 2 and printed.out == ""
    assert told in printed.err and printed.err.count("\n") == 1
