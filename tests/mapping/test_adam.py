"""Our Adam against PyTorch's."""

import torch

from rltransfer.mapping.stacked_adam import Adam


def test_steps_are_those_of_pytorchs_optimizer() -> None:
    draw = torch.Generator().manual_seed(0)
    ours = [torch.randn(3, 4, generator=draw), torch.randn(3, generator=draw)]
    theirs = [value.clone().requires_grad_() for value in ours]
    adam, reference = Adam(ours), torch.optim.Adam(theirs)
    # Beyond the first sweep of what is negligible; nothing here is.
    for update in range(150):
        gradients = [torch.randn(p.shape, generator=draw) for p in ours]
        rate = 0.1 / (1 + update)
        reference.param_groups[0]["lr"] = rate
        for parameter, gradient in zip(theirs, gradients, strict=True):
            parameter.grad = gradient.clone()
        reference.step()
        adam.step(ours, gradients, rate)
    for mine, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, other.detach())


def test_a_gradient_that_stays_zero_leaves_no_slow_numbers() -> None:
    parameter = torch.zeros(2)
    adam = Adam([parameter])
    adam.step([parameter], [torch.tensor([1.0, 1.0])], 0.1)
    for _ in range(1200):
        adam.step([parameter], [torch.tensor([0.0, 1.0])], 0.1)
    (mean,) = adam._means
    # 0.9 to the power of 1200 is far below the smallest normal number.
    assert mean[0] == 0 and mean[1] > 0.9


def test_the_rest_goes_on_as_if_alone() -> None:
    draw = torch.Generator().manual_seed(0)
    gradients = [torch.randn(3, 2, generator=draw) for _ in range(4)]
    stack, alone = torch.zeros(3, 2), torch.zeros(1, 2)
    shrinking, single = Adam([stack]), Adam([alone])
    for gradient in gradients[:2]:
        shrinking.step([stack], [gradient], 0.1)
    rows = torch.tensor([1])
    shrinking.keep(rows)
    rest = stack[rows]
    for gradient in gradients[2:]:
        shrinking.step([rest], [gradient[rows]], 0.1)
    for gradient in gradients:
        single.step([alone], [gradient[rows]], 0.1)
    torch.testing.assert_close(rest, alone, rtol=0, atol=0)
