// How loud one side is now: a ring that breathes. It moves without React, 12 times a second.

import { useEffect, useRef } from "react";
import type { Lanes } from "../talk/lanes";
import type { Side } from "../talk/turns";

export function Meter({ lanes, side, name, detail }: { lanes: Lanes; side: Side; name: string; detail?: string }) {
  const ring = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const show = () => {
      const column = lanes.columns.at(-1);
      const level = column?.muted && side === "user" ? 0 : (column?.[side] ?? 0);
      ring.current!.style.setProperty("--level", level.toFixed(2));
      if (lanes.columns.length % 5 === 0) ring.current!.ariaValueNow = String(Math.round(100 * level));
    };
    show();
    lanes.listeners.add(show);
    return () => void lanes.listeners.delete(show);
  }, [lanes, side]);
  return (
    <div className={`meter ${side}`}>
      <div
        ref={ring}
        id={`${side}-meter`}
        className="ring"
        role="meter"
        aria-label={`${name}: level`}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={0}
      />
      <div>
        <b>{name}</b>
        {detail && <span>{detail}</span>}
      </div>
    </div>
  );
}
