# A frontend with centrifuge-python. clients/README.md describes its arguments, commands and events.

import asyncio
import json
import logging
import sys

from centrifuge import CentrifugeError, Client, ClientEventHandler, ReplyError, SubscriptionEventHandler

form, url = sys.argv[1:]
is_protobuf = form == "protobuf"


# With Protobuf data is bytes.
def write(data):
    return json.dumps(data).encode() if is_protobuf else data


def read(data):
    return json.loads(data) if is_protobuf else data


def say(line):
    print(json.dumps(line), flush=True)


def emit(event, **fields):
    say({"event": event, **fields})


class ConnectionEvents(ClientEventHandler):
    async def on_connecting(self, context):
        emit("connecting", code=context.code)

    async def on_connected(self, context):
        emit("connected", client=context.client)

    async def on_disconnected(self, context):
        emit("disconnected", code=context.code)

    async def on_error(self, context):
        print(context, file=sys.stderr, flush=True)


class SubscriptionEvents(SubscriptionEventHandler):
    async def on_subscribed(self, context):
        emit("subscribed", wasRecovering=context.was_recovering, recovered=context.recovered)

    async def on_unsubscribed(self, context):
        emit("unsubscribed", code=context.code)

    async def on_publication(self, context):
        emit("publication", data=read(context.pub.data), offset=context.pub.offset)

    async def on_join(self, context):
        emit("join", user=context.info.user)

    async def on_leave(self, context):
        emit("leave", user=context.info.user)

    async def on_error(self, context):
        print(context, file=sys.stderr, flush=True)


class Commands:
    def __init__(self):
        self.tokens = asyncio.Queue()
        self.client = Client(url, events=ConnectionEvents(), get_token=self.get_token, use_protobuf=is_protobuf)

    async def get_token(self):
        emit("token")
        return await self.tokens.get()

    async def connect(self, token):
        self.client.set_token(token)
        await self.client.connect()

    async def subscribe(self, channel):
        await self.client.new_subscription(channel, events=SubscriptionEvents(), join_leave=True).subscribe()

    async def publish(self, channel, data):
        await self.client.publish(channel, write(data))

    async def presence(self, channel):
        return [info.user for info in (await self.client.presence(channel)).clients.values()]

    async def history(self, channel):
        entries = (await self.client.history(channel, limit=10)).publications
        return [{"data": read(entry.data), "offset": entry.offset} for entry in entries]

    async def rpc(self, method, data):
        return read((await self.client.rpc(method, write(data))).data)

    async def token(self, token):
        self.tokens.put_nowait(token)

    async def carry_out(self, command):
        id, name = command.pop("id"), command.pop("do")
        try:
            say({"id": id, "result": await getattr(self, name)(**command)})
        except ReplyError as error:
            say({"id": id, "error": {"code": error.code, "message": error.message}})
        except CentrifugeError as error:
            say({"id": id, "error": {"code": 0, "message": repr(error)}})


async def main():
    commands = Commands()
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with asyncio.TaskGroup() as tasks:
        async for line in lines:
            tasks.create_task(commands.carry_out(json.loads(line)))
    await commands.client.disconnect()


logging.basicConfig(stream=sys.stderr)
asyncio.run(main())
