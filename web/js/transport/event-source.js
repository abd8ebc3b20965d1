/** The event streams of the SDK, over the page's link to the gateway. */

/** A stream that is opened during a cut. It fails as if there were no network. */
class FailingSource {
  onerror = null;

  constructor() {
    setTimeout(() => this.onerror?.(new Event('error')));
  }

  close() {}
}

function open(link, url) {
  const source = new EventSource(url);
  const close = source.close.bind(source);
  const connection = link.opened(() => {
    close();
    source.dispatchEvent(new Event('error'));
  });
  source.close = () => {
    connection.ended();
    close();
  };
  // The commands of the first request are in its address.
  link.sent(new URL(url).searchParams.get('cf_connect') ?? '');
  source.addEventListener('message', ({ data }) => connection.received(data));
  return source;
}

/** A constructor of event streams. Pass this to the SDK as `eventsource`. */
export function eventSourceOver(link) {
  return function Source(url) {
    return link.isCut ? new FailingSource() : open(link, url);
  };
}
