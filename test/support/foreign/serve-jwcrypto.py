"""python3-jwcrypto, for the tests: reads one operation a line from standard input, and answers with one line."""

import hashlib
import hmac
import json
import sys

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwcrypto import jwe, jwk, jws
from jwcrypto.common import base64url_encode


def generate(kty, crv=None):
    size = {"size": 2048} if kty == "RSA" else {"crv": crv}
    return json.loads(jwk.JWK.generate(kty=kty, **size).export_private())


def unseal(token, key):
    opened = jwe.JWE()
    opened.deserialize(token, jwk.JWK(**key))
    return opened.payload.decode()


def verify(token, key):
    verified = jws.JWS()
    verified.deserialize(token, jwk.JWK(**key))
    return verified.payload.decode()


def seal(header, plaintext, key):
    sealed = jwe.JWE(plaintext.encode(), protected=header)
    sealed.add_recipient(jwk.JWK(**key))
    return sealed.serialize(compact=True)


def prove(key, recipient, client, token, req):
    """The mac of a key-bound token, as docs/http-api.md describes it."""
    private = jwk.JWK(**key).get_op_key("unwrapKey")
    public = jwk.JWK(**recipient).get_op_key("wrapKey")
    curve = [ec.ECDH()] if key["kty"] == "EC" else []
    secret = private.exchange(*curve, public)
    info = "\0".join(["jwe-auth-server request proof", client, recipient["kid"]])
    mac_key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info.encode()).derive(secret)
    members = [str(req.get(name, "")) for name in ["jti", "iat", "htm", "htu", "dig"]]
    digest = base64url_encode(hashlib.sha256(token.encode()).digest())
    message = "\n".join([*members, digest])
    return base64url_encode(hmac.digest(mac_key, message.encode(), "sha256"))


OPERATIONS = {
    "generate": generate,
    "open": unseal,
    "verify": verify,
    "seal": seal,
    "prove": prove,
}

for line in sys.stdin:
    operation, arguments = json.loads(line)
    try:
        answer = {"result": OPERATIONS[operation](**arguments)}
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer), flush=True)
