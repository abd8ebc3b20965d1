// A name server for containers of a test.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';

const A = 1;
const ANSWER = 0x8180;
const UNKNOWN = 0x8183;

/** Answers at port 53 of an address. `hosts` maps names to IPv4 addresses. `asked` of the result has the names that were asked for. */
export async function nameServer(address, hosts) {
  const asked = new Set();
  const socket = createSocket('udp4');
  socket.on('message', (question, client) => {
    const { name, type, end } = read(question);
    asked.add(name);
    const found = hosts[name];
    const addresses = found && type === A ? [found] : [];
    const head = Buffer.from(question.subarray(0, 12));
    head.writeUInt16BE(found ? ANSWER : UNKNOWN, 2);
    [1, addresses.length, 0, 0].forEach((count, index) => head.writeUInt16BE(count, 4 + 2 * index));
    // The name at offset 12, A, IN, for one second, four bytes.
    const answers = addresses.map((ip) => Buffer.from([0xc0, 12, 0, A, 0, 1, 0, 0, 0, 1, 0, 4, ...ip.split('.').map(Number)]));
    socket.send(Buffer.concat([head, question.subarray(12, end), ...answers]), client.port, client.address);
  });
  socket.bind(53, address);
  await once(socket, 'listening');
  return { asked, close: () => socket.close() };
}

/** The first question of a request. */
function read(question) {
  const labels = [];
  let at = 12;
  for (; question[at]; at += 1 + question[at]) labels.push(question.toString('latin1', at + 1, at + 1 + question[at]));
  return { name: labels.join('.').toLowerCase(), type: question.readUInt16BE(at + 1), end: at + 5 };
}
