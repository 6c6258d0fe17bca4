"""A small OpenID provider as a process of its own: discovery, keys, sign-in without a question, tokens with PKCE.

`python -m tests.accounts.openid_server CERTIFICATE` writes its certificate there, prints its port. POST /control with
`{"says": {…}, "forge": "…"}` changes what the next tokens say, and how they lie; `document` what it tells of itself;
`turn` gives its keys other names. GET /asked says how often each of its addresses was called.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import secrets
import ssl
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

HOST, CLIENT, SECRET = "login.example", "lumos", "a-secret-of-the-provider"
KEYS = {"RS256": rsa.generate_private_key(65537, 2048), "EdDSA": ed25519.Ed25519PrivateKey.generate()}
FOREIGN = rsa.generate_private_key(65537, 2048)
ISSUED: dict[str, dict[str, str]] = {}
MIND: dict[str, Any] = {"says": {"sub": "amy-at-idp"}, "forge": "", "alg": "RS256", "document": {}, "turn": ""}
ASKED: Counter[str] = Counter()


def jwks() -> dict[str, Any]:
    rs = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEYS["RS256"].public_key()))
    ed = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(KEYS["EdDSA"].public_key()))
    return {
        "keys": [
            {**rs, "kid": "RS256" + MIND["turn"], "use": "sig"},
            {**ed, "kid": "EdDSA" + MIND["turn"], "use": "sig"},
        ]
    }


def token(issuer: str, nonce: str) -> str:
    now = int(time.time())
    said = {"iss": issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce, **MIND["says"]}
    alg, head = MIND["alg"], {"kid": MIND["alg"] + MIND["turn"]}
    match MIND["forge"]:
        case "none":
            return jwt.encode(said, None, algorithm="none", headers=head)
        case "hs256":
            public = jwks()["keys"][0]["n"]
            return jwt.encode(said, public.ljust(64), algorithm="HS256", headers=head)
        case "foreign key":
            return jwt.encode(said, FOREIGN, algorithm="RS256", headers=head)
        case "own jwk":
            mine = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(FOREIGN.public_key()))
            return jwt.encode(said, FOREIGN, algorithm="RS256", headers={"jwk": mine, "kid": "mine"})
        case "bottomless":
            return jwt.api_jws.encode(b"[" * 100_000, KEYS[alg], algorithm=alg, headers=head)
        case "no signature":
            return jwt.encode(said, KEYS[alg], algorithm=alg, headers=head).rpartition(".")[0] + "."
    return jwt.encode(said, KEYS[alg], algorithm=alg, headers=head)


class Provider(BaseHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        return

    @property
    def issuer(self) -> str:
        return f"https://{HOST}:{self.server.server_address[1]}"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/asked":
            self._answer(dict(ASKED))
            return
        ASKED.update([parts.path])
        if parts.path == "/.well-known/openid-configuration":
            names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            said = {name: f"{self.issuer}/{name}" for name in names}
            self._answer({"issuer": MIND.get("issuer", self.issuer), **said, **MIND["document"]})
        elif parts.path == "/jwks_uri":
            self._answer(jwks())
        else:
            self._authorize({name: values[0] for name, values in parse_qs(parts.query).items()})

    def _authorize(self, asked: dict[str, str]) -> None:
        code = secrets.token_urlsafe(16)
        ISSUED[code] = asked
        self.send_response(302)
        back = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
        self.send_header("Location", f"{asked['redirect_uri']}?{back}")
        self.end_headers()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/control":
            MIND.update(json.loads(body))
            self._answer({})
            return
        ASKED.update([self.path])
        given = {name: values[0] for name, values in parse_qs(body).items()}
        asked = ISSUED.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        right = asked is not None and (given["client_id"], given["client_secret"]) == (CLIENT, SECRET)
        if not right or asked["code_challenge"] != proof or asked["redirect_uri"] != given["redirect_uri"]:
            self._answer({"error": "invalid_grant"}, 400)
        else:
            self._answer({"id_token": token(self.issuer, asked["nonce"]), "token_type": "Bearer"})

    def _answer(self, said: dict[str, Any], status: int = 200) -> None:
        content = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def certificate(place: Path) -> ssl.SSLContext:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(tz=UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    own = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as whole:
        whole.write(own + made.public_bytes(serialization.Encoding.PEM))
        whole.flush()
        context.load_cert_chain(whole.name)
    place.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return context


def main() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    server.socket = certificate(Path(sys.argv[1])).wrap_socket(server.socket, server_side=True)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
