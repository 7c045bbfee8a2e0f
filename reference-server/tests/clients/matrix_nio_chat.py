"""Two people use matrix-nio against a homeserver that is up: encrypted chat, verification, backup, media, spaces, threads.

    python matrix_nio_chat.py http://127.0.0.1:8008

Registration with the dummy stage has to be open. Ends with 0 when everything worked; the first thing that did not is told.
"""

import asyncio
import io
import json
import secrets
import sys
import tempfile

import nio
from nio import AsyncClient, AsyncClientConfig, KeyVerificationEvent, KeyVerificationKey, KeyVerificationStart

ENCRYPTION = {"type": "m.room.encryption", "state_key": "", "content": {"algorithm": "m.megolm.v1.aes-sha2"}}
PATIENCE_ROUNDS = 30


def must(answer, kind):
    """The answer, if it is of this kind."""
    if not isinstance(answer, kind):
        raise AssertionError(f"expected {kind.__name__}, got {answer}")
    return answer


class Person:
    """Somebody with a client that keeps what it hears."""

    def __init__(self, homeserver, name, store):
        self.name = f"{name}-{secrets.token_hex(4)}"
        config = AsyncClientConfig(encryption_enabled=True, store_sync_tokens=True)
        self.client = AsyncClient(homeserver, self.name, store_path=store, config=config)
        self.heard = []
        self.client.add_event_callback(lambda room, event: self.heard.append((room.room_id, event)), nio.Event)
        self.client.add_to_device_callback(self.verify, KeyVerificationEvent)
        self.emoji = None

    async def arrive(self):
        must(await self.client.register(self.name, "a password of this test", "nio"), nio.RegisterResponse)
        must(await self.client.logout(), nio.LogoutResponse)
        must(await self.client.login("a password of this test", device_name="nio"), nio.LoginResponse)
        if self.client.should_upload_keys:
            must(await self.client.keys_upload(), nio.KeysUploadResponse)
        await self.sync()

    async def sync(self):
        must(await self.client.sync(timeout=300), nio.SyncResponse)
        if self.client.should_query_keys:
            await self.client.keys_query()
        if self.client.should_claim_keys:
            await self.client.keys_claim(self.client.get_users_for_key_claiming())
        await self.client.send_to_device_messages()

    async def verify(self, event):
        """Both sides of a verification by emoji; each agrees when it has seen them."""
        transaction = event.transaction_id
        if isinstance(event, KeyVerificationStart):
            await self.client.accept_key_verification(transaction)
        elif isinstance(event, KeyVerificationKey):
            self.emoji = self.client.key_verifications[transaction].get_emoji()
            # The own key is on its way only now, and has to come before what is agreed on it.
            await self.client.send_to_device_messages()
            await self.client.confirm_short_auth_string(transaction)

    async def say(self, room, text, **more):
        content = {"msgtype": "m.text", "body": text, **more}
        sent = await self.client.room_send(room, "m.room.message", content, ignore_unverified_devices=True)
        return must(sent, nio.RoomSendResponse).event_id

    async def raw(self, method, path, body=None):
        """A request that nio has no function for."""
        headers = {"Authorization": f"Bearer {self.client.access_token}"}
        data = None if body is None else json.dumps(body)
        answer = await self.client.send(method, path, data=data, headers=headers)
        content = await answer.json()
        assert answer.status == 200, f"{method} {path}: {answer.status} {content}"
        return content


async def until(what, holds, *people):
    """Everybody syncs until it holds."""
    for _ in range(PATIENCE_ROUNDS):
        if holds():
            return
        for person in people:
            await person.sync()
    raise AssertionError(f"not within {PATIENCE_ROUNDS} syncs: {what}")


def has_read(person, room, text):
    """Whether somebody has read a text, decrypted."""
    return any(
        where == room and isinstance(event, nio.RoomMessageText) and event.body == text and event.decrypted
        for where, event in person.heard
    )


async def encrypted_chat(alice, bob):
    made = await alice.client.room_create(name="Secret", invite=[bob.client.user_id], initial_state=[ENCRYPTION])
    room = must(made, nio.RoomCreateResponse).room_id
    await until("bob is invited", lambda: room in bob.client.invited_rooms, bob)
    must(await bob.client.join(room), nio.JoinResponse)
    both = {alice.client.user_id, bob.client.user_id}
    for person in (alice, bob):
        await until("both are there", lambda: both <= set(person.client.rooms[room].users) if room in person.client.rooms else False, alice, bob)
    await alice.say(room, "hello, bob")
    await until("bob reads alice", lambda: has_read(bob, room, "hello, bob"), bob, alice)
    await bob.say(room, "hello, alice")
    await until("alice reads bob", lambda: has_read(alice, room, "hello, alice"), alice, bob)
    return room


async def verification(alice, bob):
    device = alice.client.device_store[bob.client.user_id][bob.client.device_id]
    must(await alice.client.start_key_verification(device), nio.ToDeviceResponse)
    mine = bob.client.device_store[alice.client.user_id][alice.client.device_id]
    await until("both are verified", lambda: device.verified and mine.verified, bob, alice)
    assert alice.emoji and alice.emoji == bob.emoji, f"{alice.emoji} {bob.emoji}"


async def backup(alice, room):
    auth = {"public_key": "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo"}
    version = (await alice.raw("POST", "/_matrix/client/v3/room_keys/version", {"algorithm": "m.megolm_backup.v1.curve25519-aes-sha2", "auth_data": auth}))["version"]
    session = {"first_message_index": 0, "forwarded_count": 0, "is_verified": True, "session_data": {"ciphertext": "c", "ephemeral": "e", "mac": "m"}}
    keys = {"rooms": {room: {"sessions": {"session": session}}}}
    stored = await alice.raw("PUT", f"/_matrix/client/v3/room_keys/keys?version={version}", keys)
    assert stored["count"] == 1, stored
    fetched = await alice.raw("GET", f"/_matrix/client/v3/room_keys/keys?version={version}")
    assert fetched == keys, fetched


async def media(alice, bob):
    content = secrets.token_bytes(100_000)
    uploaded, keys = await alice.client.upload(io.BytesIO(content), "image/png", "secret.png", encrypt=True, filesize=len(content))
    uri = must(uploaded, nio.UploadResponse).content_uri
    downloaded = must(await bob.client.download(uri), nio.DownloadResponse)
    plain = nio.crypto.decrypt_attachment(downloaded.body, keys["key"]["k"], keys["hashes"]["sha256"], keys["iv"])
    assert plain == content, "another file came back"


async def spaces(alice, room):
    made = await alice.client.room_create(name="Space", room_type="m.space")
    space = must(made, nio.RoomCreateResponse).room_id
    via = {"via": [alice.client.user_id.split(":", 1)[1]]}
    must(await alice.client.room_put_state(space, "m.space.child", via, room), nio.RoomPutStateResponse)
    shown = must(await alice.client.space_get_hierarchy(space), nio.SpaceGetHierarchyResponse)
    assert [entry["room_id"] for entry in shown.rooms] == [space, room], shown.rooms


async def threads(alice, bob):
    made = await alice.client.room_create(name="Open", preset=nio.api.RoomPreset.public_chat)
    room = must(made, nio.RoomCreateResponse).room_id
    must(await bob.client.join(room), nio.JoinResponse)
    await until("both know the room", lambda: room in alice.client.rooms and room in bob.client.rooms, alice, bob)
    root = await alice.say(room, "a thread begins")
    relation = {"rel_type": "m.thread", "event_id": root}
    reply = await bob.say(room, "and goes on", **{"m.relates_to": relation})
    found = [event.event_id async for event in alice.client.room_get_event_relations(room, root, nio.api.RelationshipType.thread)]
    assert found == [reply], found
    roots = [event.event_id async for event in alice.client.room_get_threads(room)]
    assert roots == [root], roots


async def main(homeserver):
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        alice, bob = Person(homeserver, "alice", one), Person(homeserver, "bob", other)
        try:
            for person in (alice, bob):
                await person.arrive()
            print("arrived: registered, logged out, logged in, keys uploaded")
            room = await encrypted_chat(alice, bob)
            print("encrypted chat: read in both directions")
            await verification(alice, bob)
            print("verification: the same emoji, both devices verified")
            await backup(alice, room)
            print("key backup: stored and fetched")
            await media(alice, bob)
            print("media: encrypted file uploaded, downloaded, decrypted")
            await spaces(alice, room)
            print("spaces: hierarchy shown")
            await threads(alice, bob)
            print("threads: replies and roots listed")
        finally:
            await alice.client.close()
            await bob.client.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
