"use strict";
// The spot checks: a head that moves over the words, and a click that plays from there; one sound at a time.

const players = [...document.querySelectorAll(".check audio")];

for (const check of document.querySelectorAll(".check")) {
  const audio = check.querySelector("audio");
  const timeline = check.querySelector(".timeline");
  const track = check.querySelector(".track");
  const head = check.querySelector(".head");
  const seconds = Number(check.dataset.seconds);
  const words = [...check.querySelectorAll(".word")].map((element) => ({
    element,
    start: Number(element.dataset.start),
    end: Number(element.dataset.end),
  }));

  const show = () => {
    const now = audio.currentTime;
    const left = (track.clientWidth * now) / seconds;
    head.style.transform = `translateX(${left}px)`;
    for (const { element, start, end } of words) element.classList.toggle("now", start <= now && now < end);
    if (!audio.paused && (left < timeline.scrollLeft || left > timeline.scrollLeft + timeline.clientWidth * 0.8)) {
      timeline.scrollLeft = left - timeline.clientWidth * 0.2;
    }
  };
  const follow = () => {
    show();
    if (!audio.paused) requestAnimationFrame(follow);
  };
  const playFrom = (time) => {
    audio.currentTime = time;
    audio.play();
  };

  audio.addEventListener("play", () => {
    for (const other of players) if (other !== audio) other.pause();
    follow();
  });
  audio.addEventListener("seeked", show);
  audio.addEventListener("ended", show);
  track.addEventListener("click", (event) => {
    playFrom(((event.clientX - track.getBoundingClientRect().left) / track.clientWidth) * seconds);
  });
  check.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-start]");
    if (button) playFrom(Number(button.dataset.start));
  });
}
