"""A bridge made with mautrix, and a person beside it, against a homeserver that is up and knows the bridge.

    python mautrix_bridge.py register 40321 > registration.yaml
    python mautrix_bridge.py http://127.0.0.1:8008 40321

The first line writes the registration of a bridge that listens on that port, the second one is the bridge. Registration with the
dummy stage has to be open. Ends with 0 when everything worked; the first thing that did not is told.

Keys for what is encrypted reach the bridge by syncing as a device of a ghost: transactions of this release have no messages to devices.
"""

import asyncio
import json
import logging
import secrets
import sys
import time

from mautrix.api import HTTPAPI, Method, Path
from mautrix.appservice import AppService
from mautrix.appservice.state_store import ASStateStore
from mautrix.client import Client
from mautrix.client.state_store import MemoryStateStore
from mautrix.crypto import MemoryCryptoStore, OlmMachine
from mautrix.errors import MExclusive
from mautrix.types import EventType, Membership, MessageType, RoomCreatePreset, TextMessageEventContent, TOFUSigningKey

ID = "mautrix"
AS_TOKEN = "as-token-of-the-bridge"
HS_TOKEN = "hs-token-of-the-bridge"
PREFIX = "_bridge_"
ENCRYPTION = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
PATIENCE_S = 30
LONG_AGO_MS = 1_234_567_890_123


def registration(port):
    """What the homeserver has to know; JSON is YAML as well."""
    return {
        "id": ID,
        "url": f"http://127.0.0.1:{port}",
        "as_token": AS_TOKEN,
        "hs_token": HS_TOKEN,
        "sender_localpart": f"{PREFIX}bot",
        "rate_limited": False,
        "receive_ephemeral": True,
        "namespaces": {
            "users": [{"exclusive": True, "regex": f"@{PREFIX}.*"}],
            "aliases": [{"exclusive": True, "regex": f"#{PREFIX}.*"}],
            "rooms": [],
        },
    }


class Rooms(ASStateStore, MemoryStateStore):
    """What is known of rooms."""

    def __init__(self):
        ASStateStore.__init__(self)
        MemoryStateStore.__init__(self)

    async def find_shared_rooms(self, user_id):
        return [room for room, members in self.members.items() if user_id in members]


class Keys(MemoryCryptoStore):
    """What is known of keys. The store of mautrix can not replace a cross-signing key."""

    async def put_cross_signing_key(self, user_id, usage, key):
        known = self._cross_signing_keys.setdefault(user_id, {})
        first = known[usage].first if usage in known else key
        known[usage] = TOFUSigningKey(key, first)


class Bridge:
    """The application service, which keeps what it is told."""

    def __init__(self, homeserver, domain, port):
        self.domain, self.port = domain, port
        self.told, self.asked = [], []
        self.rooms = Rooms()
        self.service = AppService(
            homeserver,
            domain,
            AS_TOKEN,
            HS_TOKEN,
            f"{PREFIX}bot",
            ID,
            state_store=self.rooms,
            ephemeral_events=True,
            query_user=self.make_user,
            query_alias=self.make_room,
        )
        self.service.matrix_event_handler(self.hear)

    async def hear(self, event):
        self.told.append(event)

    def texts(self, room):
        """What was said in a room, in the order in which it was told."""
        said = [event for event in self.told if event.type == EventType.ROOM_MESSAGE and event.room_id == room]
        return [event.content.body for event in said]

    def sealed(self, room):
        """What was said in a room and is encrypted."""
        return [event for event in self.told if event.type == EventType.ROOM_ENCRYPTED and event.room_id == room]

    async def start(self):
        await self.service.start("127.0.0.1", self.port)

    def ghost(self, name):
        return self.service.intent.user(f"@{PREFIX}{name}:{self.domain}")

    async def make_user(self, user_id):
        """Somebody is invited who does not exist yet: a ghost of the other network."""
        self.asked.append(user_id)
        await self.service.intent.user(user_id).ensure_registered()
        return {"is": "there"}

    async def make_room(self, alias):
        """Somebody asks for a room that does not exist yet: a channel of the other network."""
        self.asked.append(alias)
        localpart = alias[1:].split(":", 1)[0]
        await self.service.intent.create_room(alias_localpart=localpart, preset=RoomCreatePreset.PUBLIC)
        return {"is": "there"}


class Device:
    """A client that reads and writes what is encrypted, with keys of its own."""

    def __init__(self, homeserver, user_id):
        self.client = Client(base_url=homeserver, mxid=user_id, state_store=Rooms(), sync_store=Keys(user_id, "k"))
        self.client.crypto = OlmMachine(self.client, self.client.sync_store, self.client.state_store)
        self.client.crypto.share_keys_min_trust = self.client.crypto.send_keys_min_trust
        self.heard = []
        self.client.add_event_handler(EventType.ROOM_MESSAGE, self.hear)

    async def hear(self, event):
        self.heard.append(event)

    async def begin(self):
        """Uploads its keys, and syncs from now on."""
        await self.client.crypto.load()
        await self.client.crypto.share_keys()
        self.client.start(None)

    async def end(self):
        self.client.stop()
        await self.client.api.session.close()

    def has_read(self, room, text):
        return any(event.room_id == room and event.content.body == text for event in self.heard)

    async def say(self, room, text):
        return await self.client.send_message(room, TextMessageEventContent(msgtype=MessageType.TEXT, body=text))


async def until(what, holds):
    """Waits until it holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE_S} s: {what}")
        await asyncio.sleep(0.05)


async def arrive(homeserver):
    """A person with an account and a device."""
    api = HTTPAPI(homeserver)
    body = {"username": f"alice-{secrets.token_hex(4)}", "password": "of this test", "auth": {"type": "m.login.dummy"}}
    account = await api.request(Method.POST, Path.v3.register, body)
    await api.session.close()
    alice = Device(homeserver, account["user_id"])
    alice.client.api.token, alice.client.device_id = account["access_token"], account["device_id"]
    await alice.begin()
    return alice


async def puppet_talks(bridge, alice):
    ghost = bridge.ghost("carol")
    await ghost.set_displayname("Carol of the other network")
    room = await alice.client.create_room(preset=RoomCreatePreset.PUBLIC)
    await ghost.join_room(room)
    await ghost.send_text(room, "hello from afar")
    await until("alice reads the ghost", lambda: alice.has_read(room, "hello from afar"))
    content = TextMessageEventContent(msgtype=MessageType.TEXT, body="said long ago")
    old = await ghost.send_message(room, content, timestamp=LONG_AGO_MS)
    shown = await alice.client.get_event(room, old)
    assert (shown.sender, shown.timestamp) == (ghost.mxid, LONG_AGO_MS), shown
    await alice.say(room, "hello to afar")
    await until("the bridge is told", lambda: "hello to afar" in bridge.texts(room))
    return room


async def ephemeral(bridge, alice, room):
    await alice.client.set_typing(room, timeout=20_000)
    said = await alice.say(room, "read this")
    await alice.client.send_receipt(room, said)

    def told(kind, names):
        return any(str(event.type) == kind and event.room_id == room and names in str(event.content) for event in bridge.told)

    await until("the bridge is told who types", lambda: told("m.typing", alice.client.mxid))
    await until("the bridge is told who has read", lambda: told("m.receipt", alice.client.mxid))


async def namespaces(bridge, alice):
    room = await alice.client.create_room()
    ghost = bridge.ghost(f"new-{secrets.token_hex(4)}")
    await alice.client.invite_user(room, ghost.mxid)
    assert ghost.mxid in bridge.asked, bridge.asked

    def is_invite(event):
        return event.type == EventType.ROOM_MEMBER and event.state_key == ghost.mxid and event.content.membership == Membership.INVITE

    await until("the invite is told", lambda: any(map(is_invite, bridge.told)))
    await ghost.join_room(room)
    alias = f"#{PREFIX}channel-{secrets.token_hex(4)}:{bridge.domain}"
    await alice.client.join_room(alias)
    assert alias in bridge.asked, bridge.asked
    try:
        await alice.client.add_room_alias(room, f"{PREFIX}taken")
    except MExclusive:
        return
    raise AssertionError("somebody else took an alias of the bridge")


async def downtime(bridge, alice, room):
    await bridge.service.stop()
    missed = [f"message {number} of the downtime" for number in range(5)]
    for text in missed:
        await alice.say(room, text)
    await bridge.start()
    await until("the bridge is told what it has missed", lambda: missed[-1] in bridge.texts(room))
    told = [text for text in bridge.texts(room) if text in missed]
    assert told == missed, told


async def masquerade(homeserver, ghost):
    """A device of a ghost, for which the bridge speaks by its own token."""
    device = Device(homeserver, ghost.mxid)
    device.client.api.token = AS_TOKEN
    await device.client.create_device_msc4190("", "Bridge")
    await device.begin()
    # Signs the device with new keys of the ghost, which replace those that were there.
    await device.client.crypto.generate_recovery_key()
    whoami = await device.client.whoami()
    assert (whoami.user_id, whoami.device_id) == (ghost.mxid, device.client.device_id), whoami
    return device


async def encryption(bridge, homeserver, alice):
    ghost = bridge.ghost(f"dora-{secrets.token_hex(4)}")
    await ghost.ensure_registered()
    lost = await masquerade(homeserver, ghost)
    await lost.end()
    device = await masquerade(homeserver, ghost)
    try:
        await device.client.api.request(Method.DELETE, Path.v3.devices[lost.client.device_id])
        keys = (await alice.client.query_keys([ghost.mxid])).device_keys[ghost.mxid]
        assert list(keys) == [device.client.device_id], keys

        room = await alice.client.create_room(preset=RoomCreatePreset.PUBLIC, initial_state=[ENCRYPTION])
        await device.client.join_room(room)
        await until("alice sees the ghost", lambda: ghost.mxid in alice.client.state_store.members.get(room, {}))
        await alice.say(room, "a secret for the ghost")
        await until("the ghost reads alice", lambda: device.has_read(room, "a secret for the ghost"))
        await device.say(room, "a secret of the ghost")
        await until("alice reads the ghost", lambda: alice.has_read(room, "a secret of the ghost"))
        await until("the bridge is told of both", lambda: len(bridge.sealed(room)) == 2)
        assert bridge.texts(room) == [], bridge.texts(room)
    finally:
        await device.end()


async def main(homeserver, port):
    alice = await arrive(homeserver)
    bridge = Bridge(homeserver, alice.client.mxid.split(":", 1)[1], port)
    await bridge.start()
    try:
        assert await bridge.service.ping_self() >= 0
        print("ping: the homeserver reaches the bridge")
        room = await puppet_talks(bridge, alice)
        print("puppet: joined, spoke, dated what it said, and was spoken to")
        await ephemeral(bridge, alice, room)
        print("ephemeral data: who types and who has read")
        await namespaces(bridge, alice)
        print("namespaces: asked for a user and an alias, made them, and kept others out")
        await downtime(bridge, alice, room)
        print("downtime: everything told afterwards, once and in order")
        await encryption(bridge, homeserver, alice)
        print("encryption: a ghost lost its device, got another, and was read in both directions")
    finally:
        await bridge.service.stop()
        await alice.end()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    where, port = sys.argv[1], int(sys.argv[2])
    if where == "register":
        print(json.dumps(registration(port)))
    else:
        asyncio.run(main(where, port))
