import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { HttpServer } from './http-server.ts';

/** More than there are places for connections. */
const MANY = 300;
const REQUEST = 'GET / HTTP/1.1\r\nHost: towpath\r\n\r\n';

/** Resolves with so many answers; rejects where the connection ends before. */
function answers(socket: Socket, count: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let text = '';
    const come = () => text.split('taken\n').length - 1;
    const ended = () => reject(new Error(`it ended after ${come()} of ${count} answers`));
    const take = (part: string) => {
      text += part;
      if (come() < count) return;
      socket.off('data', take).off('close', ended);
      resolve();
    };
    socket.on('data', take).once('close', ended);
    socket.write(REQUEST.repeat(count));
  });
}

test('S13: who has proved who it is and sends many deliveries at once on one connection takes the place of nobody', async (t) => {
  const server = new HttpServer({ host: '127.0.0.1', port: 0 }, (_, response, keep) => {
    keep();
    response.end('taken\n');
  });
  const port = await server.start();
  t.after(() => server.stop());
  const open = async () => {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    t.after(() => socket.destroy());
    await once(socket, 'connect');
    return socket;
  };
  const other = await open();
  const sender = await open();
  await answers(sender, MANY);
  await answers(other, 1);
  await answers(sender, 1);
});
