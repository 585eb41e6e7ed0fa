/**
 * Call `action` at once, and then at most once every `milliseconds`. Calls in between become one call at the end.
 * `cancel` drops a call that is still to come.
 */
export function throttle(action: () => unknown, milliseconds: number): { call: () => void; cancel: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let again = false;
  function run() {
    again = false;
    timer = setTimeout(() => {
      timer = undefined;
      if (again) run();
    }, milliseconds);
    void action();
  }
  return {
    call: () => (timer === undefined ? run() : void (again = true)),
    cancel: () => {
      clearTimeout(timer);
      timer = undefined;
      again = false;
    },
  };
}
