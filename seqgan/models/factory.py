"""Make a policy or a discriminator by its name in a config, or with a custom function."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import nn

from seqgan.core.bounds import MAKER, TEXT, checked
from seqgan.errors import UsageError, quoted
from seqgan.models import DISCRIMINATOR_NAMES, POLICY_NAMES
from seqgan.models.cnn import CNNDiscriminator
from seqgan.models.from_policy import LikelihoodRatio, LSTMDiscriminator
from seqgan.models.gru import GRUPolicy
from seqgan.models.lstm import LSTMPolicy
from seqgan.models.policy import PolicyModule
from seqgan.models.recurrent import RecurrentPolicy

# Custom functions of (vocab_size, max_length), which are known once the tokenizer is trained.
MakePolicy = Callable[[int, int], PolicyModule]
MakeDiscriminator = Callable[[int, int], nn.Module]


def recurrent(kind: type[RecurrentPolicy]) -> Callable[[Any, int, int], PolicyModule]:
    def make(config: Any, vocab_size: int, max_length: int) -> PolicyModule:
        sizes = (vocab_size, max_length, config.embedding_dim, config.hidden_dim)
        dropout = {"dropout": config.dropout, "weight_drop": config.weight_drop}
        return kind(*sizes, tie_embeddings=config.tie_embeddings, **dropout)

    return make


def cnn(config: Any, vocab_size: int, max_length: int, policy: PolicyModule) -> nn.Module:
    sizes = (vocab_size, config.d_embedding_dim, config.filter_sizes, config.num_filters)
    return CNNDiscriminator(*sizes, highway=config.highway, dropout=config.d_dropout, labels=policy.label_count)


def lstm(config: Any, vocab_size: int, max_length: int, policy: PolicyModule) -> nn.Module:
    """Of the sizes of the policy, so that it can begin with its weights.

    Raises:
        UsageError: it is to begin with the weights of a policy that is no LSTM."""
    sizes = config.embedding_dim, config.hidden_dim
    if isinstance(policy, LSTMPolicy):
        sizes = policy.embedding.embedding_dim, policy.hidden_dim
    elif config.d_init == "policy":
        raise UsageError(
            f"--discriminator lstm begins with the weights of an LSTM policy, and this policy is a "
            f"{type(policy).__name__}; give --d-init random, or --policy lstm"
        )
    return LSTMDiscriminator(vocab_size, *sizes, dropout=config.d_dropout, labels=policy.label_count)


def likelihood_ratio(config: Any, vocab_size: int, max_length: int, policy: PolicyModule) -> nn.Module:
    return LikelihoodRatio(policy)


@dataclass(frozen=True)
class Custom:
    """A custom function under a name: it takes nothing from the config."""

    make: Callable[[int, int], nn.Module]

    def __call__(self, config: Any, vocab_size: int, max_length: int, policy: PolicyModule | None = None) -> Any:
        return self.make(vocab_size, max_length)


POLICIES: dict[str, Callable[[Any, int, int], PolicyModule]] = {
    "lstm": recurrent(LSTMPolicy),
    "gru": recurrent(GRUPolicy),
}
DISCRIMINATORS: dict[str, Callable[[Any, int, int, PolicyModule], nn.Module]] = {
    "cnn": cnn,
    "lstm": lstm,
    "likelihood-ratio": likelihood_ratio,
}


def new_policy(
    config: Any,
    vocab_size: int,
    max_length: int,
    make: MakePolicy | None = None,
    labels: Sequence[int] = (),
    *,
    ends: bool = True,
) -> PolicyModule:
    """An untrained policy: made by a custom function, or by the name in a config. It is in eval mode, and conditioned
    on labels, if there are any: so many training texts have each. Without `ends`, sequences have the longest length.

    Raises:
        UsageError: a custom function made no PolicyModule, or one without its two layers."""
    made = (Custom(make) if make else POLICIES[config.policy])(config, vocab_size, max_length)
    what = "policy=..." if make else f"the policy {quoted(config.policy)}"
    if not isinstance(made, PolicyModule):
        raise UsageError(f"{what} made {made!r:.60}; a seqgan.PolicyModule was expected")
    embedding, output = (getattr(made, name, None) for name in ("embedding", "output"))
    sizes = getattr(embedding, "num_embeddings", None), getattr(output, "out_features", None)
    if sizes != (vocab_size, vocab_size):
        raise UsageError(
            f"{what} made a {type(made).__name__} with embedding {embedding} and output {output}; "
            f"an nn.Embedding and an nn.Linear for {vocab_size} tokens were expected"
        )
    if labels:
        made.condition_on(labels)
    made.ends = ends
    return made.eval()


def new_discriminator(config: Any, policy: PolicyModule, make: MakeDiscriminator | None = None) -> nn.Module:
    """An untrained discriminator of a policy: made by a custom function, or by the name in a config. Where the policy
    is conditioned on labels, it is called with them as its second argument.

    Raises:
        UsageError: a custom function made no module, or one that takes no labels where there are any, or (when called)
            it does not give one logit for each text."""
    sizes, labels = (policy.vocab_size, policy.max_length), policy.label_count
    made = (Custom(make) if make else DISCRIMINATORS[config.discriminator])(config, *sizes, policy)
    what = "discriminator=..." if make else f"the discriminator {quoted(config.discriminator)}"
    if not isinstance(made, nn.Module):
        raise UsageError(f"{what} made {made!r:.60}; a torch.nn.Module was expected")
    if labels and not _takes_two(made.forward):
        raise UsageError(
            f"{what} made a {type(made).__name__} whose forward takes tokens alone, but the texts have {labels} "
            "labels; give it a second argument, labels (B), the number of each text's label"
        )
    made.register_forward_hook(_one_logit_each)
    return made


def _takes_two(function: Callable[..., Any]) -> bool:
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    return True


def _one_logit_each(module: nn.Module, given: tuple[torch.Tensor, ...], logits: Any) -> None:
    if not isinstance(logits, torch.Tensor) or logits.shape != given[0].shape[:1]:
        came = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        raise UsageError(
            f"the discriminator gave {came} for {len(given[0])} texts; a tensor of one logit for each was expected"
        )


@checked
def register_policy(name: Annotated[str, TEXT], make: Annotated[MakePolicy, MAKER]) -> None:
    """Register a custom policy under a name, for `train(policy=name)`; `make(vocab_size, max_length)` gives the module.

    A run of it can be loaded, resumed, warm-started from and saved wherever the name is registered.

    Raises:
        UsageError: the name is taken by another policy."""
    _register("policy", POLICIES, POLICY_NAMES, name, make)


@checked
def register_discriminator(name: Annotated[str, TEXT], make: Annotated[MakeDiscriminator, MAKER]) -> None:
    """Register a custom discriminator under a name, as `register_policy` does a policy.

    Raises:
        UsageError: the name is taken by another discriminator."""
    _register("discriminator", DISCRIMINATORS, DISCRIMINATOR_NAMES, name, make)


def _register(kind: str, known: dict[str, Any], names: list[str], name: str, make: Callable[..., Any]) -> None:
    if known.get(name, Custom(make)) != Custom(make):
        raise UsageError(f"there is a {kind} {quoted(name)} already; choose another name")
    known[name] = Custom(make)
    if name not in names:
        names.append(name)
