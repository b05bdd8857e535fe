// The page is whole without this: it sorts tables, chooses tracks, and shows in the charts where a clip is being played.
"use strict";
if (matchMedia("(max-width: 700px)").matches) document.querySelector("nav details").open = false;
for (const table of document.querySelectorAll("main section table")) {
  const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
  if (body.rows.length < 3) continue;
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.title = "Sort by this column";
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = row => row.cells[column].dataset.value;
      const text = row => row.cells[column].textContent;
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if ((x === undefined) !== (y === undefined)) return x === undefined ? 1 : -1;  // what has no figure comes last
        return (down ? -1 : 1) * (x === undefined ? text(a).localeCompare(text(b)) : x - y);
      });
      body.append(...rows);
    });
  });
}
const filter = document.querySelector(".filter");
if (filter) {
  const tracks = [...document.querySelectorAll(".track")];
  const choose = () => {
    const genre = filter.elements.genre.value, system = filter.elements.system.value;
    let shown = 0;
    for (const track of tracks) {
      const fits = (!genre || track.dataset.genre === genre)
        && (!system || track.dataset.wrong.split(" ").includes(system));
      track.hidden = !fits;
      shown += fits;
    }
    filter.querySelector("output").textContent = `${shown} of ${tracks.length} tracks`;
  };
  filter.hidden = false;
  filter.addEventListener("change", choose);
  filter.addEventListener("submit", event => event.preventDefault());
  choose();
}
for (const audio of document.querySelectorAll(".track audio")) {
  const strip = audio.closest(".track").querySelector(".strip");
  const seconds = Number(strip.dataset.seconds), offset = Number(audio.dataset.offset);
  const begin = parseFloat(strip.style.getPropertyValue("--begin")) / 100;
  const width = 1 - begin - parseFloat(strip.style.getPropertyValue("--end")) / 100;
  const head = document.createElement("div");
  head.className = "playhead";
  head.hidden = true;
  strip.append(head);
  const move = () => {
    head.hidden = false;
    head.style.left = `${100 * (begin + width * Math.min(1, (audio.currentTime + offset) / seconds))}%`;
    if (!audio.paused) requestAnimationFrame(move);
  };
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
    move();
  });
  audio.addEventListener("seeked", move);
  strip.style.cursor = "pointer";
  strip.addEventListener("click", event => {
    const box = strip.getBoundingClientRect();
    const time = ((event.clientX - box.left) / box.width - begin) / width * seconds - offset;
    if (time >= 0) {
      audio.currentTime = time;
      audio.play();
    }
  });
}
