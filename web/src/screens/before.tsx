// Before a conversation: who answers, how it sounds, whether the microphone works.

import { useEffect, useMemo, useState } from "react";
import { microphone } from "../audio/microphone";
import type { Heard } from "../audio/worklet";
import { demonstration } from "../demo";
import { page, talk } from "../page";
import { Advanced } from "../parts/advanced";
import { History } from "../parts/history";
import { Icon } from "../parts/icons";
import { Role } from "../parts/role";
import { SoundCheck } from "../parts/soundcheck";
import { Timeline } from "../parts/timeline";
import { Voices } from "../parts/voices";
import { settings } from "../settings";
import { useStore } from "../store";
import { Lanes } from "../talk/lanes";

export function Before() {
  const { problem, recordings } = useStore(page);
  const { record } = useStore(settings);
  const { open } = useStore(microphone.state);
  const check = useMicrophoneLanes(open === "on");
  const example = useMemo(demonstration, []);
  return (
    <main className="before">
      <section className="hero" aria-label="What this is">
        <div>
          <h1>A voice that listens while it speaks</h1>
          <p>
            Choose who answers, press Talk, and speak as you would with a person: interrupt it, murmur along, let it
            finish.
          </p>
        </div>
        <figure>
          <div className="strip">
            <Timeline
              lanes={open === "on" ? check : example}
              whole={open !== "on"}
              axis={false}
              names={open !== "on"}
            />
          </div>
          <figcaption>
            {open === "on" ? (
              <>
                <span className="user">You, now</span>
              </>
            ) : (
              <>
                <span className="agent">Agent</span> above, <span className="user">you</span> below, both at once
              </>
            )}
          </figcaption>
        </figure>
      </section>
      <div className="columns">
        <div className="column">
          <Role />
          <Voices />
          <Advanced />
        </div>
        <div className="column side">
          <SoundCheck lanes={check} />
          <section className="card start" aria-label="Start">
            {problem && (
              <p className="problem" id="problem" role="alert">
                {problem}
              </p>
            )}
            <button type="button" id="talk" className="primary big" onClick={() => void talk()}>
              <Icon name="microphone" />
              <span>{problem ? "Try again" : "Talk"}</span>
            </button>
            {recordings && (
              <label className="check">
                <input
                  type="checkbox"
                  checked={record}
                  onChange={(event) => settings.set({ record: event.target.checked })}
                />
                The server may record this conversation
              </label>
            )}
            <p className="help synthetic">The voice you will hear is synthetic: a computer speaks, not a person.</p>
          </section>
          <History />
        </div>
      </div>
    </main>
  );
}

/** What the microphone hears, while it is being tried. */
function useMicrophoneLanes(open: boolean): Lanes {
  const [lanes, setLanes] = useState(() => new Lanes());
  useEffect(() => {
    if (!open) return;
    const fresh = new Lanes();
    const hear = ({ userLevel, agentLevel }: Heard) => fresh.add(userLevel, agentLevel, false);
    setLanes(fresh);
    microphone.listeners.add(hear);
    return () => void microphone.listeners.delete(hear);
  }, [open]);
  return lanes;
}
