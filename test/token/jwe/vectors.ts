/** Vectors of the RFCs, as they stand there and in the JOSE cookbook that belongs to RFC 7520. */

const bytes = (...numbers: number[]) => Buffer.from(numbers)
const hex = (text: string) => Buffer.from(text.replace(/\s/g, ''), 'hex')
const base64url = (text: string) => Buffer.from(text, 'base64url')

/** RFC 7518, Appendix B: the two of three that this server takes. */
const KERCKHOFFS = {
  plaintext: Buffer.from(
    'A cipher system must not be required to be secret, and it must be able to fall into the hands of the enemy without inconvenience',
  ),
  iv: hex('1a f3 8c 2d c2 b9 6f fd d8 66 94 09 23 41 bc 04'),
  aad: Buffer.from('The second principle of Auguste Kerckhoffs'),
}
const B1 = {
  name: 'RFC 7518, Appendix B.1',
  enc: 'A128CBC-HS256',
  ...KERCKHOFFS,
  key: hex(`00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f`),
  ciphertext: hex(`c8 0e df a3 2d df 39 d5 ef 00 c0 b4 68 83 42 79
                   a2 e4 6a 1b 80 49 f7 92 f7 6b fe 54 b9 03 a9 c9
                   a9 4a c9 b4 7a d2 65 5c 5f 10 f9 ae f7 14 27 e2
                   fc 6f 9b 3f 39 9a 22 14 89 f1 63 62 c7 03 23 36
                   09 d4 5a c6 98 64 e3 32 1c f8 29 35 ac 40 96 c8
                   6e 13 33 14 c5 40 19 e8 ca 79 80 df a4 b9 cf 1b
                   38 4c 48 6f 3a 54 c5 10 78 15 8e e5 d7 9d e5 9f
                   bd 34 d8 48 b3 d6 95 50 a6 76 46 34 44 27 ad e5
                   4b 88 51 ff b5 98 f7 f8 00 74 b9 47 3c 82 e2 db`),
  tag: hex('65 2c 3f a3 6b 0a 7c 5b 32 19 fa b3 a3 0b c1 c4'),
} as const
const B3 = {
  name: 'RFC 7518, Appendix B.3',
  enc: 'A256CBC-HS512',
  ...KERCKHOFFS,
  key: hex(`00 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f
            10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f
            20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f
            30 31 32 33 34 35 36 37 38 39 3a 3b 3c 3d 3e 3f`),
  ciphertext: hex(`4a ff aa ad b7 8c 31 c5 da 4b 1b 59 0d 10 ff bd
                   3d d8 d5 d3 02 42 35 26 91 2d a0 37 ec bc c7 bd
                   82 2c 30 1d d6 7c 37 3b cc b5 84 ad 3e 92 79 c2
                   e6 d1 2a 13 74 b7 7f 07 75 53 df 82 94 10 44 6b
                   36 eb d9 70 66 29 6a e6 42 7e a7 5c 2e 08 46 a1
                   1a 09 cc f5 37 0d c8 0b fe cb ad 28 c7 3f 09 b3
                   a3 b7 5e 66 2a 25 94 41 0a e4 96 b2 e2 e6 60 9e
                   31 e6 e0 2c c8 37 f0 53 d2 1f 37 ff 4f 51 95 0b
                   be 26 38 d0 9d d7 a4 93 09 30 80 6d 07 03 b1 f6`),
  tag: hex(`4d d3 b4 c0 88 a7 f4 5c 21 68 39 64 5b 20 12 bf
            2e 62 69 a8 c5 6a 81 6d bc 1b 26 77 61 95 5b c5`),
} as const

/** RFC 7516, Appendix A.1: its content encryption. Its RSA-OAEP uses SHA-1. */
const A1 = {
  name: 'RFC 7516, Appendix A.1',
  enc: 'A256GCM',
  plaintext: Buffer.from('The true sign of intelligence is not knowledge but imagination.'),
  key: bytes(
    ...[177, 161, 244, 128, 84, 143, 225, 115, 63, 180, 3, 255, 107, 154, 212, 246],
    ...[138, 7, 110, 91, 112, 46, 34, 105, 47, 130, 203, 46, 122, 234, 64, 252],
  ),
  iv: bytes(227, 197, 117, 252, 2, 219, 233, 68, 180, 225, 77, 219),
  aad: Buffer.from('eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ'),
  ciphertext: base64url(
    '5eym8TW_c8SuK0ltJ3rpYIzOeDQz7TALvtu6UG9oMo4vpzs9tX_EFShS8iB7j6jiSdiwkIr3ajwQzaBtQD_A',
  ),
  tag: base64url('XFBoMYUZodetZdvTiFvSkQ'),
} as const

/** RFC 7516, Appendix A.3: its key wrap and its content encryption. `A128KW` itself is not taken. */
const A3 = {
  name: 'RFC 7516, Appendix A.3',
  enc: 'A128CBC-HS256',
  plaintext: Buffer.from('Live long and prosper.'),
  key: bytes(
    ...[4, 211, 31, 197, 84, 157, 252, 254, 11, 100, 157, 250, 63, 170, 106, 206],
    ...[107, 124, 212, 45, 111, 107, 9, 219, 200, 177, 0, 240, 143, 156, 44, 207],
  ),
  iv: base64url('AxY8DCtDaGlsbGljb3RoZQ'),
  aad: Buffer.from('eyJhbGciOiJBMTI4S1ciLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0'),
  ciphertext: base64url('KDlTtXchhZTGufMYmOYGS4HffxPSUrfmqCHXaI9wOGY'),
  tag: base64url('U0m_YmjN04DJvceFICbCVQ'),
} as const

/** RFC 7520 §5, Figure 72: the plaintext of every example. */
export const FRODO =
  'You can trust us to stick with you through thick and thin\u2013to the bitter end. And you can trust us to keep any secret of yours\u2013closer than you keep it yourself. But you cannot trust us to let you face trouble alone, and go off without a word. We are your friends, Frodo.'

/** RFC 7520 §5.8: its key wrap and its content encryption. */
const COOKBOOK_8 = {
  name: 'RFC 7520 §5.8',
  enc: 'A128GCM',
  plaintext: Buffer.from(FRODO),
  key: base64url('aY5_Ghmk9KxWPBLu_glx1w'),
  iv: base64url('Qx0pmsDa8KnJc9Jo'),
  aad: Buffer.from(
    'eyJhbGciOiJBMTI4S1ciLCJraWQiOiI4MWIyMDk2NS04MzMyLTQzZDktYTQ2OC04MjE2MGFkOTFhYzgiLCJlbmMiOiJBMTI4R0NNIn0',
  ),
  ciphertext: base64url(
    'AwliP-KmWgsZ37BvzCefNen6VTbRK3QMA4TkvRkH0tP1bTdhtFJgJxeVmJkLD61A1hnWGetdg11c9ADsnWgL56NyxwSYjU1ZEHcGkd3EkU0vjHi9gTlb90qSYFfeF0LwkcTtjbYKCsiNJQkcIp1yeM03OmuiYSoYJVSpf7ej6zaYcMv3WwdxDFl8REwOhNImk2Xld2JXq6BR53TSFkyT7PwVLuq-1GwtGHlQeg7gDT6xW0JqHDPn_H-puQsmthc9Zg0ojmJfqqFvETUxLAF-KjcBTS5dNy6egwkYtOt8EIHK-oEsKYtZRaa8Z7MOZ7UGxGIMvEmxrGCPeJa14slv2-gaqK0kEThkaSqdYw0FkQZF',
  ),
  tag: base64url('ER7MWJZ1FBI_NKvn7Zb1Lw'),
} as const

export const CONTENT_VECTORS = [B1, B3, A1, A3, COOKBOOK_8]

/** RFC 3394 §4 (the cases without 192-bit keys), and the key wraps of the examples above. */
const KEK_256 = '000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F'
const KEY_DATA = '00112233445566778899AABBCCDDEEFF'
export const KEY_WRAP_VECTORS = [
  {
    name: 'RFC 3394 §4.1',
    kek: hex('000102030405060708090A0B0C0D0E0F'),
    key: hex(KEY_DATA),
    wrapped: hex('1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5'),
  },
  {
    name: 'RFC 3394 §4.3',
    kek: hex(KEK_256),
    key: hex(KEY_DATA),
    wrapped: hex('64E8C3F9CE0F5BA263E9777905818A2A93C8191E7D6E8AE7'),
  },
  {
    name: 'RFC 3394 §4.6',
    kek: hex(KEK_256),
    key: hex(`${KEY_DATA}000102030405060708090A0B0C0D0E0F`),
    wrapped: hex(
      '28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21',
    ),
  },
  {
    name: 'RFC 7516, Appendix A.3.3',
    kek: base64url('GawgguFyGrWKav7AX4VKUg'),
    key: A3.key,
    wrapped: base64url('6KB707dM9YTIgHtLvtgWQ8mKwboJW3of9locizkDTHzBC2IlrT1oOQ'),
  },
  {
    name: 'RFC 7520 §5.8.2',
    kek: base64url('GZy6sIZ6wl9NJOKB-jnmVQ'),
    key: COOKBOOK_8.key,
    wrapped: base64url('CBI6oDw8MydIx1IBntf_lQcw2MmJKIQx'),
  },
]

/** RFC 7518, Appendix C: a key for A128GCM by direct key agreement. */
export const APPENDIX_C = {
  alice: {
    kty: 'EC',
    crv: 'P-256',
    x: 'gI0GAILBdu7T53akrFmMyGcsF3n5dO7MmwNBHKW5SV0',
    y: 'SLW_xSffzlPWrHEVI30DHM_4egVwt3NQqeUD7nMFpps',
    d: '0_NxaRPUMQoAJt50Gz8YiTr8gRTwyEaCumd-MToTmIo',
  },
  bob: {
    kty: 'EC',
    crv: 'P-256',
    x: 'weNJy2HscCSM6AEDTDg04biOvhFhyyWvOHQfeF_PxMQ',
    y: 'e8lnCO-AlStT-NJVX-crhB7QRYhiix03illJOVAOyck',
    d: 'VEmDZpDXXK8p8N0Cndsxs924q6nS1RXFASRl6BfUqdw',
  },
  key: base64url('VqqN6vgjbSBcIijNcacQGg'),
}

/** RFC 8037, Appendix A.6: the shared secret of X25519. Bob's private key is in RFC 7748 §6.1. */
export const CURVE_25519 = {
  epk: { kty: 'OKP', crv: 'X25519', x: 'hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo' },
  bob: {
    kty: 'OKP',
    crv: 'X25519',
    x: '3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08',
    d: hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb').toString(
      'base64url',
    ),
  },
  secret: hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742'),
}

/** RFC 7520 §5.4 and §5.5: whole tokens. */
export const COOKBOOK_4 = {
  alg: 'ECDH-ES+A128KW',
  enc: 'A128GCM',
  key: {
    kty: 'EC',
    crv: 'P-384',
    kid: 'peregrin.took@tuckborough.example',
    use: 'enc',
    x: 'YU4rRUzdmVqmRtWOs2OpDE_T5fsNIodcG8G5FWPrTPMyxpzsSOGaQLpe2FpxBmu2',
    y: 'A8-yxCHxkfBz3hKZfI1jUYMjUhsEveZ9THuwFjH2sCNdtksRJU7D5-SkgaFL1ETP',
    d: 'iTx2pk7wW-GqJkHcEkFQb2EFyYcO7RugmaW3mRrQVAOUiPommT0IdnYK2xDlZh-j',
  },
  contentKey: base64url('Nou2ueKlP70ZXDbq9UrRwg'),
  jwe: 'eyJhbGciOiJFQ0RILUVTK0ExMjhLVyIsImtpZCI6InBlcmVncmluLnRvb2tAdHVja2Jvcm91Z2guZXhhbXBsZSIsImVwayI6eyJrdHkiOiJFQyIsImNydiI6IlAtMzg0IiwieCI6InVCbzRrSFB3Nmtiang1bDB4b3dyZF9vWXpCbWF6LUdLRlp1NHhBRkZrYllpV2d1dEVLNml1RURzUTZ3TmROZzMiLCJ5Ijoic3AzcDVTR2haVkMyZmFYdW1JLWU5SlUyTW84S3BvWXJGRHI1eVBOVnRXNFBnRXdaT3lRVEEtSmRhWTh0YjdFMCJ9LCJlbmMiOiJBMTI4R0NNIn0.0DJjBXri_kBcC46IkU5_Jk9BqaQeHdv2.mH-G2zVqgztUtnW_.tkZuOO9h95OgHJmkkrfLBisku8rGf6nzVxhRM3sVOhXgz5NJ76oID7lpnAi_cPWJRCjSpAaUZ5dOR3Spy7QuEkmKx8-3RCMhSYMzsXaEwDdXta9Mn5B7cCBoJKB0IgEnj_qfo1hIi-uEkUpOZ8aLTZGHfpl05jMwbKkTe2yK3mjF6SBAsgicQDVCkcY9BLluzx1RmC3ORXaM0JaHPB93YcdSDGgpgBWMVrNU1ErkjcMqMoT_wtCex3w03XdLkjXIuEr2hWgeP-nkUZTPU9EoGSPj6fAS-bSz87RCPrxZdj_iVyC6QWcqAu07WNhjzJEPc4jVntRJ6K53NgPQ5p99l3Z408OUqj4ioYezbS6vTPlQ.WuGzxmcreYjpHGJoa17EBg',
} as const
export const COOKBOOK_5 = {
  alg: 'ECDH-ES',
  enc: 'A128CBC-HS256',
  key: {
    kty: 'EC',
    crv: 'P-256',
    kid: 'meriadoc.brandybuck@buckland.example',
    use: 'enc',
    x: 'Ze2loSV3wrroKUN_4zhwGhCqo3Xhu1td4QjeQ5wIVR0',
    y: 'HlLtdXARY_f55A3fnzQbPcm6hgr34Mp8p-nuzQCE0Zw',
    d: 'r_kHyZ-a06rmxM3yESK84r1otSg-aQcVStkRhA-iCM8',
  },
  contentKey: base64url('hzHdlfQIAEehb8Hrd_mFRhKsKLEzPfshfXs9l6areCc'),
  jwe: 'eyJhbGciOiJFQ0RILUVTIiwia2lkIjoibWVyaWFkb2MuYnJhbmR5YnVja0BidWNrbGFuZC5leGFtcGxlIiwiZXBrIjp7Imt0eSI6IkVDIiwiY3J2IjoiUC0yNTYiLCJ4IjoibVBVS1RfYkFXR0hJaGcwVHBqanFWc1AxclhXUXVfdndWT0hIdE5rZFlvQSIsInkiOiI4QlFBc0ltR2VBUzQ2ZnlXdzVNaFlmR1RUMElqQnBGdzJTUzM0RHY0SXJzIn0sImVuYyI6IkExMjhDQkMtSFMyNTYifQ..yc9N8v5sYyv3iGQT926IUg.BoDlwPnTypYq-ivjmQvAYJLb5Q6l-F3LIgQomlz87yW4OPKbWE1zSTEFjDfhU9IPIOSA9Bml4m7iDFwA-1ZXvHteLDtw4R1XRGMEsDIqAYtskTTmzmzNa-_q4F_evAPUmwlO-ZG45Mnq4uhM1fm_D9rBtWolqZSF3xGNNkpOMQKF1Cl8i8wjzRli7-IXgyirlKQsbhhqRzkv8IcY6aHl24j03C-AR2le1r7URUhArM79BY8soZU0lzwI-sD5PZ3l4NDCCei9XkoIAfsXJWmySPoeRb2Ni5UZL4mYpvKDiwmyzGd65KqVw7MsFfI_K767G9C9Azp73gKZD0DyUn1mn0WW5LmyX_yJ-3AROq8p1WZBfG-ZyJ6195_JGG2m9Csg.WCCkNa-x4BeB9hIDIfFuhg',
} as const
