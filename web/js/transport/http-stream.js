/** The requests of the SDK, over the page's link to the gateway: streams of answers, and commands by POST. */

/** Calls `take` with each complete line. Bytes of the next line wait. */
function lines(take) {
  const decoder = new TextDecoder();
  let rest = '';
  return (bytes) => {
    const parts = (rest + decoder.decode(bytes, { stream: true })).split('\n');
    rest = parts.pop();
    for (const line of parts) take(`${line}\n`);
  };
}

/** Passes the body on, reports its lines, and its end. */
function watched(body, connection, end) {
  const report = lines((line) => connection.received(line));
  return body.pipeThrough(new TransformStream({
    transform(bytes, controller) {
      report(bytes);
      controller.enqueue(bytes);
    },
    flush: end,
  }));
}

/** A `fetch`. Pass this to the SDK as `fetch`. */
export function fetchOver(link) {
  return async (url, options) => {
    if (link.isCut) throw new TypeError('the connection is cut');
    const controller = new AbortController();
    const abort = () => controller.abort();
    const connection = link.opened(abort);
    const end = () => {
      connection.ended();
      options.signal.removeEventListener('abort', abort);
    };
    options.signal.addEventListener('abort', abort);
    controller.signal.addEventListener('abort', end);
    link.sent(options.body);
    try {
      const response = await fetch(url, { ...options, signal: controller.signal });
      // 204 answers commands; some browsers give it a body all the same.
      if (response.status === 200) return new Response(watched(response.body, connection, end), response);
      end();
      return response;
    } catch (error) {
      end();
      throw error;
    }
  };
}
