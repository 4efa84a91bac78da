// What was said, as it is said. Screen readers are told whole utterances of the agent's only.

import { memo, useEffect, useRef } from "react";
import { clock, FRAME_SECONDS } from "../frames";
import type { Line } from "../talk/call";

const NAMES = { agent: "Agent", user: "You", note: "" };

export function Transcript({
  lines,
  empty,
  now,
  onSeek,
}: {
  lines: Line[];
  empty: string;
  now?: number;
  onSeek?: (seconds: number) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  useEffect(() => {
    if (follow.current && now === undefined) box.current!.scrollTop = box.current!.scrollHeight;
  }, [lines, now]);
  const current = now === undefined ? -1 : lines.findLastIndex((line) => line.start * FRAME_SECONDS <= now);
  return (
    <>
      <div
        ref={box}
        id="words"
        className="words"
        tabIndex={0}
        role="region"
        aria-label="What is said"
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
          follow.current = scrollHeight - scrollTop - clientHeight < 40;
        }}
      >
        {lines.length === 0 && <p className="empty">{empty}</p>}
        {lines.map((line, i) => (
          <Utterance key={i} line={line} current={i === current} onSeek={onSeek} />
        ))}
      </div>
      {now === undefined && (
        <div className="unseen" aria-live="polite" id="spoken">
          {lines.findLast((line) => line.done && line.side !== "user")?.text}
        </div>
      )}
    </>
  );
}

const Utterance = memo(function Utterance({
  line,
  current,
  onSeek,
}: {
  line: Line;
  current: boolean;
  onSeek?: (seconds: number) => void;
}) {
  const { side, start, text, done } = line;
  if (side === "note") return <p className="note">{text}</p>;
  const time = clock(start * FRAME_SECONDS);
  return (
    <p className={`line ${side}${done ? "" : " going"}${current ? " current" : ""}`}>
      {onSeek ? (
        <button
          type="button"
          className="time"
          aria-label={`Play from ${time}`}
          onClick={() => onSeek(start * FRAME_SECONDS)}
        >
          {time}
        </button>
      ) : (
        <time className="time">{time}</time>
      )}
      <b>{NAMES[side]}</b>
      <span>{text}</span>
    </p>
  );
});
