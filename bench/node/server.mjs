// A WebSocket server to compare handshakes with: `node server.mjs PORT [CERTIFICATE KEY]`. With a certificate it speaks TLS.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { WebSocketServer } from "ws";

const [port, certificate, key] = process.argv.slice(2);
const server = certificate ? createSecureServer({ cert: readFileSync(certificate), key: readFileSync(key) }) : createServer();
new WebSocketServer({ server }).on("connection", (socket) => socket.on("error", () => {}));
server.listen(Number(port), "127.0.0.1", 4096);
