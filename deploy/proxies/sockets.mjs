// WebSockets over TLS with raw frames, so that a test sees what a proxy does to them.

import { connect } from 'node:tls';

export const HOST = 'chat.example';
/** The page of the proxies' host. */
export const PAGE = `https://${HOST}`;

/** A client's frame with this payload, masked with zeros. */
export function frame(payload, opcode = typeof payload === 'string' ? 1 : 2) {
  const bytes = Buffer.from(payload);
  const length = bytes.length < 126 ? [0x80 | bytes.length] : [0x80 | 126, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...length, 0, 0, 0, 0]), bytes]);
}

/** Calls `take(opcode, payload)` for each complete frame of a server, and returns what is left. */
function takeFrames(bytes, take) {
  for (;;) {
    if (bytes.length < 2) return bytes;
    let [length, head] = [bytes[1] & 127, 2];
    if (length === 126) {
      if (bytes.length < 4) return bytes;
      [length, head] = [bytes.readUInt16BE(2), 4];
    } else if (length === 127) {
      if (bytes.length < 10) return bytes;
      [length, head] = [Number(bytes.readBigUInt64BE(2)), 10];
    }
    if (bytes.length < head + length) return bytes;
    take(bytes[0] & 15, bytes.subarray(head, head + length));
    bytes = bytes.subarray(head + length);
  }
}

/**
 * Upgrades at `path` of a proxy. Resolves to the status, the id of the connection and its socket.
 *
 * `take(payload, opcode)` gets the frames of the gateway. `lines` are further header lines.
 */
export function open({ port, ca, path = '/connection/websocket', origin = PAGE, from, lines = [], take = () => {}, timeout = 5_000 }) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from, servername: HOST, ca });
    socket.setNoDelay(true);
    const request = [`GET ${path} HTTP/1.1`, `Host: ${HOST}`, 'Upgrade: websocket', 'Connection: Upgrade', `Origin: ${origin}`,
      'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', ...lines, '', ''];
    const tooLong = setTimeout(() => socket.destroy(new Error('no answer to the upgrade')), timeout);
    const failed = (error) => {
      clearTimeout(tooLong);
      reject(error);
    };
    socket.once('secureConnect', () => socket.write(request.join('\r\n')));
    // A browser answers control frames by itself.
    const deliver = (opcode, payload) => (opcode === 9 ? socket.write(frame(payload, 10)) : take(payload, opcode));
    // A connection that breaks later is closed, too.
    socket.on('error', failed);
    socket.once('close', () => failed(new Error('closed before the answer')));
    let bytes = Buffer.alloc(0);
    socket.on('data', function head(part) {
      bytes = Buffer.concat([bytes, part]);
      const end = bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      clearTimeout(tooLong);
      socket.off('data', head);
      const text = bytes.toString('latin1', 0, end);
      bytes = bytes.subarray(end + 4);
      // The caller first gets the socket.
      setImmediate(() => (bytes = takeFrames(bytes, deliver)));
      socket.on('data', (more) => {
        bytes = takeFrames(bytes.length ? Buffer.concat([bytes, more]) : more, deliver);
      });
      resolve({ status: Number(text.split(' ')[1]), id: /x-connection-id: (\w+)/i.exec(text)?.[1], socket });
    });
  });
}
