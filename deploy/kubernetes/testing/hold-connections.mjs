// hold-connections.mjs HOST PORT NUMBER: keeps this number of connections that send nothing, and opens a new one for each that is closed.

import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const [host, port, number] = process.argv.slice(2);
const hold = () => {
  const socket = connect(Number(port), host);
  socket.on('error', () => {});
  socket.on('close', () => sleep(10).then(hold));
};
for (let opened = 0; opened < Number(number); opened += 1) hold();
