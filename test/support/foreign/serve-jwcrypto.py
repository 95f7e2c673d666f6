"""python3-jwcrypto, for the tests: reads one operation a line from standard input, and answers with one line."""

import json
import sys

from jwcrypto import jwe, jwk, jws


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


OPERATIONS = {"generate": generate, "open": unseal, "verify": verify, "seal": seal}

for line in sys.stdin:
    operation, arguments = json.loads(line)
    try:
        answer = {"result": OPERATIONS[operation](**arguments)}
    except Exception as error:
        answer = {"error": repr(error)}
    print(json.dumps(answer), flush=True)
