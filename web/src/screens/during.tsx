// A conversation that is going on, or about to.

import { useEffect, useRef, useState } from "react";
import { microphone } from "../audio/microphone";
import { clock } from "../frames";
import { chosenRole, page, voiceName } from "../page";
import { Delay, Figures } from "../parts/figures";
import { Icon } from "../parts/icons";
import { Meter } from "../parts/meter";
import { Timeline } from "../parts/timeline";
import { Transcript } from "../parts/transcript";
import { shortRole } from "../presets";
import { useStore } from "../store";
import type { Call, State } from "../talk/call";

const STATUS: Record<State, string> = {
  asking: "Waiting for the microphone",
  connecting: "Connecting",
  queued: "Waiting for a free place",
  preparing: "Preparing the persona",
  live: "Live",
  reconnecting: "Connecting again",
  over: "Over",
};

const STEPS: [State, string][] = [
  ["asking", "Microphone"],
  ["connecting", "Connection"],
  ["preparing", "Persona"],
];

export function During({
  call,
  figures,
  onFigures,
}: {
  call: Call;
  figures: boolean;
  onFigures: (open: boolean) => void;
}) {
  const { state, muted, lines, voice, notice, recording, hears, position, strained } = useStore(call.state);
  const { problem } = useStore(microphone.state);
  const { model } = useStore(page);
  const begun = state === "live" || state === "reconnecting";
  const mute = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (state === "live") mute.current?.focus({ preventScroll: true });
  }, [state]);
  const status = state === "live" && muted ? "Live, muted" : STATUS[state];
  const queue = state === "queued" && position ? `, number ${position} in line` : "";
  return (
    <main className="during">
      <div className="status">
        <p className="pill">
          <i aria-hidden="true" />
          <span id="status" role="status">
            {status}
            {queue}
          </span>
        </p>
        {recording && (
          <p className="badge">
            Recorded<span> by the server</span>
          </p>
        )}
        {begun && <Clock call={call} />}
      </div>
      {notice && <Notice>{notice}</Notice>}
      {strained && (
        <Notice>
          The server cannot keep up and skips some of what you say. Fewer conversations at once would help it.
        </Notice>
      )}
      {problem && (
        <Notice>
          {problem}{" "}
          <button type="button" className="quiet" onClick={() => void microphone.choose("")}>
            Use another microphone
          </button>
        </Notice>
      )}
      <section className="stage card" aria-label="Timeline">
        <div className="meters">
          <Meter
            lanes={call.lanes}
            side="agent"
            name="Agent"
            detail={voice ? voiceName(voice) : shortRole(chosenRole(), model?.defaultRole)}
          />
          <Meter lanes={call.lanes} side="user" name="You" detail={muted ? "muted" : undefined} />
        </div>
        <Timeline lanes={call.lanes} />
      </section>
      {begun ? (
        <div className="beside">
          <Transcript
            lines={lines}
            empty={hears ? "What both of you say appears here." : "The agent's words appear here. Say hello."}
          />
          {figures && <Figures call={call} />}
        </div>
      ) : (
        <Steps state={state} />
      )}
      <div className="dock">
        {begun && (
          <button
            type="button"
            ref={mute}
            id="mute"
            aria-pressed={muted}
            aria-keyshortcuts="Space"
            onClick={() => call.mute()}
          >
            <Icon name={muted ? "muted" : "microphone"} />
            <span>{muted ? "Muted" : "Mute"}</span>
            <kbd aria-hidden="true">space</kbd>
          </button>
        )}
        <button type="button" id="hang-up" className="danger" onClick={() => call.hangUp()}>
          <Icon name="end" />
          <span>{begun ? "End" : "Cancel"}</span>
        </button>
        {begun && <Delay call={call} open={figures} onToggle={onFigures} />}
      </div>
    </main>
  );
}

function Notice({ children }: { children: React.ReactNode }) {
  return (
    <p className="notice" role="status">
      {children}
    </p>
  );
}

/** On its own, so that a second's passing redraws nothing else. */
function Clock({ call }: { call: Call }) {
  const { seconds } = useStore(call.figures);
  const { limit } = useStore(call.state);
  return (
    <time id="clock">
      {clock(seconds)}
      {limit ? ` of ${clock(limit)}` : ""}
    </time>
  );
}

function Steps({ state }: { state: State }) {
  const now = STEPS.findIndex(([step]) => step === (state === "queued" ? "connecting" : state));
  const [waiting, setWaiting] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setWaiting(true), 4000);
    return () => clearTimeout(timer);
  }, [state]);
  return (
    <div className="steps">
      <ol>
        {STEPS.map(([step, name], i) => (
          <li key={step} className={i < now ? "done" : i === now ? "now" : ""}>
            <i aria-hidden="true">{i < now && <Icon name="check" />}</i>
            {name}
          </li>
        ))}
      </ol>
      <p>
        {state === "asking"
          ? "The browser asks whether this page may use your microphone: choose Allow."
          : state === "queued"
            ? "Every place is taken. You are let in as soon as one is free."
            : waiting
              ? "The first conversation with a persona takes longer than the next ones."
              : " "}
      </p>
    </div>
  );
}
