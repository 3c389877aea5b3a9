"""Networks of PyTorch and of Stable-Baselines3 as exact numbers, without loading either package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from irl_ident.certificates.network_model import ReluNetwork

NAMES = {"torch.float32": 24, "torch.float64": 53}
"""Binary digits of the arithmetic of each type of numbers."""

PLAIN = ("Identity", "Flatten")
"""Modules that leave a vector of observations as it is."""


def from_torch(module: Any) -> ReluNetwork:
    """A network of ``Linear`` and ``ReLU`` modules.

    Parameters
    ----------
    module : torch.nn.Sequential
        ``Linear``, ``ReLU``, ..., ``Linear``, one after the other; ``Flatten``, ``Identity`` and ``Sequential`` within
        are fine.  Its numbers are taken as they are: ``float32`` and ``float64`` are exact in double precision.

    Returns
    -------
    ReluNetwork
        With the significand of the module's numbers.

    Raises
    ------
    ValueError
        For another module, layers in another order, or other numbers.
    """
    return _network(list(_flat(module)))


def from_stable_baselines(model: Any) -> ReluNetwork:
    """The network behind a policy of Stable-Baselines3 on vectors of numbers.

    Parameters
    ----------
    model : PPO, A2C or DQN
        Trained with ``"MlpPolicy"`` and ``policy_kwargs={"activation_fn": torch.nn.ReLU}`` (DQN has ReLU of itself), on
        observations in a ``Box`` and a ``Discrete`` action space.  PPO, A2C: the logits of the actor; DQN: the action
        values.  Where observations are normalised by a wrapper, regions are of what comes out of it.

    Returns
    -------
    ReluNetwork

    Raises
    ------
    ValueError
        For another kind of policy, of activation or of actions.

    Notes
    -----
    ``predict(..., deterministic=True)`` of PPO compares probabilities, not logits; where two logits differ by far less
    than 1e-6 of their size, their softmax can round to a tie.  A ``margin`` keeps away from that.
    """
    policy = getattr(model, "policy", model)
    if type(getattr(policy, "action_space", None)).__name__ != "Discrete":
        raise ValueError(f"model: its actions are {getattr(policy, 'action_space', None)}, should be Discrete")
    if type(policy.observation_space).__name__ != "Box":
        raise ValueError(f"model: its observations are {policy.observation_space}, should be a Box")
    if hasattr(policy, "q_net"):
        parts = [policy.q_net.features_extractor, policy.q_net.q_net]
    elif hasattr(policy, "mlp_extractor"):
        parts = [policy.pi_features_extractor, policy.mlp_extractor.policy_net, policy.action_net]
    else:
        raise ValueError(f"model: {type(policy).__name__} should be the policy of PPO, A2C or DQN")
    return _network([layer for part in parts for layer in _flat(part)])


def _flat(module: Any) -> Iterator[Any]:
    """Modules in order, without the containers."""
    kind = type(module).__name__
    if kind in ("Sequential", "FlattenExtractor"):
        for child in module.children():
            yield from _flat(child)
    elif kind not in PLAIN:
        yield module


def _network(layers: list[Any]) -> ReluNetwork:
    kinds = [type(layer).__name__ for layer in layers]
    expected = ["Linear", "ReLU"] * (len(kinds) // 2) + ["Linear"]
    if kinds != expected:
        raise ValueError(f"module: should be Linear layers with ReLU between them, was {', '.join(kinds) or 'empty'}")
    linear = layers[::2]
    dtypes = {str(layer.weight.dtype) for layer in linear}
    if len(dtypes) != 1 or not dtypes <= set(NAMES):
        raise ValueError(
            f"module: its numbers are {', '.join(sorted(dtypes))}, should be torch.float32 or torch.float64"
        )
    weights = [layer.weight.detach().cpu().double().numpy() for layer in linear]
    biases = [
        [0.0] * len(layer.weight) if layer.bias is None else layer.bias.detach().cpu().double().numpy()
        for layer in linear
    ]
    return ReluNetwork(weights, biases, NAMES[dtypes.pop()])
