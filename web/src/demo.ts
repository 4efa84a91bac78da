// A conversation for the eye, on the first screen: what listening while speaking looks like. Drawn, not recorded.

import { Lanes } from "./talk/lanes";

/** Frames in which each side speaks: a question, a long answer with an "mm-hm" in it, an interruption with one of the agent's. */
const AGENT = [
  [33, 96],
  [112, 118],
  [138, 186],
] as const;
const USER = [
  [4, 30],
  [50, 56],
  [90, 134],
] as const;
const FRAMES = 192;

function level(speaks: readonly (readonly [number, number])[], frame: number, seed: number): number {
  const turn = speaks.find(([start, end]) => frame >= start && frame < end);
  if (!turn) return 0.0004;
  const edge = Math.min(1, (frame - turn[0] + 1) / 3, (turn[1] - frame) / 3);
  const syllables = 0.55 + 0.45 * Math.sin(frame * 1.9 + seed) * Math.sin(frame * 0.71 + 2 * seed);
  return 0.004 + 0.16 * edge * syllables * syllables;
}

export function demonstration(): Lanes {
  const lanes = new Lanes();
  for (let frame = 0; frame < FRAMES; frame++) lanes.add(level(USER, frame, 1), level(AGENT, frame, 4), false);
  return lanes;
}
