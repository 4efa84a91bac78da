// Who speaks when, and what that means: overlap, interruption, backchannel, time to answer. Knows levels and frames only.

import { decibels } from "../audio/level";

export type Side = "agent" | "user";

/** Frames in which one side speaks: `start` is the first, `end` the first after it; `end` is null while it goes on. */
export interface Stretch {
  start: number;
  end: number | null;
}

export interface Mark {
  kind: "overlap" | "interruption" | "backchannel";
  side: Side; // who did it
  start: number;
  end: number;
}

const PAUSE = 5; // frames of silence inside one stretch
const BACKCHANNEL = 12; // frames at most: "mm-hm", "right"
const YIELD = 25; // frames within which the other falls silent, for an interruption

/** Whether a side speaks, from its levels: louder than its own background by a margin, with short pauses bridged. */
export class Voicing {
  readonly stretches: Stretch[] = [];
  private floor = -60; // dB, of the background
  private frame = 0;
  private last = -Infinity; // the last loud frame

  /** @param quietest dB; below it nothing is speech */
  constructor(private readonly quietest: number) {}

  /** One more frame. @returns how many of the newest frames are now known to be speech: a pause is bridged when it is over */
  add(level: number): number {
    const db = Math.max(-90, decibels(level));
    this.floor = db < this.floor ? db : Math.min(-40, this.floor + 0.05); // falls at once, rises 0.6 dB a second
    const loud = db > Math.max(this.quietest, this.floor + 12);
    const open = this.stretches.at(-1);
    let spoken = 0;
    if (loud) {
      if (!open || open.end !== null) this.stretches.push({ start: this.frame, end: null });
      spoken = open?.end === null ? this.frame - this.last : 1;
      this.last = this.frame;
    } else if (open && open.end === null && this.frame - this.last > PAUSE) {
      open.end = this.last + 1;
    }
    this.frame++;
    return spoken;
  }

  /** No more frames. */
  finish(): void {
    const open = this.stretches.at(-1);
    if (open && open.end === null) open.end = this.last + 1;
  }
}

/**
 * What happened where both spoke. A stretch that begins while the other speaks is a backchannel when it is short and the other
 * goes on past it, an interruption when the other falls silent soon after and it goes on, and else plain overlap.
 * @param now frames so far; nothing is judged before it can be
 */
export function marks(agent: Stretch[], user: Stretch[], now: number): Mark[] {
  const found: Mark[] = [];
  const judge = (side: Side, mine: Stretch[], theirs: Stretch[]) => {
    let first = 0;
    for (const { start, end } of mine) {
      while (first < theirs.length && (theirs[first]!.end ?? Infinity) <= start) first++;
      const other = theirs[first];
      if (!other || other.start >= start) continue;
      const [stop, rest] = [end ?? now, other.end ?? Infinity];
      if (end !== null && end - start <= BACKCHANNEL && end < rest)
        found.push({ kind: "backchannel", side, start, end });
      else if (rest < stop && rest - start <= YIELD) found.push({ kind: "interruption", side, start, end: rest });
      else if (end !== null || now - start > BACKCHANNEL)
        found.push({ kind: "overlap", side, start, end: Math.min(stop, rest, now) });
    }
  };
  judge("agent", agent, user);
  judge("user", user, agent);
  return found.sort((a, b) => a.start - b.start);
}

/** How long the agent took to answer, frames: from each end of the user's to its next beginning, unless the user went on. */
export function answers(agent: Stretch[], user: Stretch[]): number[] {
  const found: number[] = [];
  user.forEach(({ end }, i) => {
    if (end === null) return;
    const next = agent.find(({ start }) => start >= end);
    const speaking = agent.some((stretch) => stretch.start < end && (stretch.end ?? Infinity) > end);
    if (next && !speaking && next.start < (user[i + 1]?.start ?? Infinity)) found.push(next.start - end);
  });
  return found;
}
