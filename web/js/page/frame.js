/** Makes a function that calls `render` in the next animation frame, once, however often it is called before. */
export function oncePerFrame(render) {
  let isScheduled = false;
  return () => {
    if (isScheduled) return;
    isScheduled = true;
    requestAnimationFrame(() => {
      isScheduled = false;
      render();
    });
  };
}
