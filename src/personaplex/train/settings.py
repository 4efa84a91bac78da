"""How the language model is trained: every number of it, with what it means."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LMTraining:
    """How the language model is trained.

    Attributes:
        steps: steps of the whole run.
        batch: examples a step.
        rate: peak learning rate.
        warmup: steps of linear warm-up.
        hold: share of the run at the peak rate, before it decays.
        weight_decay: of matrices.
        muon: train the matrices of the two transformers by Muon, at the same rate; all else, as otherwise everything,
            by AdamW.
        writing: weight of the agent's text: whether it speaks, and what it says.
        padding: weight, within it, of targets that are padding.
        copying: weight, within it, of targets that are pieces of the role's own, such as its names and prices.
        pointing: weight of finding those pieces in the role, where the model has a pointer; and as much of finding what
            the user has just said of the agent's words, where it echoes.
        looking: weight of finding, from shortly before an answer on, all pieces of the role's own that it will hold,
            where the pointer looks up.
        semantic: weight of codebook 0.
        acoustic: weight of each other codebook (0.02 in the paper, for a model that knows how to speak).
        hearing: weight of the user's words, where the model has a stream for them.
        heard_padding: weight, within them, of targets that are padding.
        foresight: weight of foreseeing who will speak in the next two seconds, by a map that only training has.
        sound_only: the depth transformer alone learns, and what tells it of the voice: what the model hears, and what
            it says and when, stay as they are. Examples must have sound.
        new_codes: with `sound_only` the embeddings of the codes learn too, by the losses of words as well: for a codec
            whose codes are others than the ones the model knows.
        silent: share of the agent's silent frames whose sound is learnt.
        timbre: share of the frames whose sound is learnt in which all of it is; of the others, codebook 0 alone.
        corrupt: share of the user's codes, and of the agent's past codebook 0, replaced at random on the input.
        forget: share of examples in which the agent's acoustic codes are hidden on the input, but for the voice sample.
        blur: share of examples in which the user's codebooks from a random one on, never the first, are hidden on the
            input: what is said outlives a strange voice better in codebook 0.
        deaf: share of examples in which the user's sound is hidden on the input altogether, and no word of theirs is
            learnt: what the agent says must then follow from the words that it heard, as in writing.
        heard_corrupt: share of the user's words misheard on the input: half of them replaced, half not heard at all.
        heard_own: share of examples in which the user's words on the input are the model's own guesses of a first pass
            (scheduled sampling, Bengio et al. 2015, arXiv 1506.03099; in two passes as Mihaylova and Martins 2019,
            arXiv 1906.07651), so that it learns how far its ear can be trusted.
        heard_passes: most first passes, each reading the guesses of the one before; a batch draws from 1 to so many.
            Errors breed errors: only after some passes are the guesses as wrong as in a conversation.
        heard_completion: where it reads its own guesses, teach what completes what it has written (see
            `own_ear.to_write`); otherwise every word in its place, written or not.
        ema: decay a step of the moving average of the weights, which is what is exported; 0 for none.
        seed: of the initial weights and of the data order.
        bf16: compute matrix products in bfloat16, but for CPUs that are slow at it (without AVX-512).
        gradient_checkpointing: recompute activations in the backward pass.
    """

    steps: int = 4000
    batch: int = 4
    rate: float = 1.2e-3
    warmup: int = 150
    hold: float = 0.3
    weight_decay: float = 0.05
    muon: bool = False
    writing: float = 1.0
    padding: float = 0.3
    copying: float = 1.0
    pointing: float = 0.3
    looking: float = 1.0
    semantic: float = 1.0
    acoustic: float = 0.15
    hearing: float = 0.5
    heard_padding: float = 0.2
    foresight: float = 0.3
    sound_only: bool = False
    new_codes: bool = False
    silent: float = 0.06
    timbre: float = 0.4
    corrupt: float = 0.1
    forget: float = 0.5
    blur: float = 0.0
    deaf: float = 0.0
    heard_corrupt: float = 0.1
    heard_own: float = 0.0
    heard_passes: int = 1
    heard_completion: bool = True
    ema: float = 0.998
    seed: int = 0
    bf16: bool = True
    gradient_checkpointing: bool = False
