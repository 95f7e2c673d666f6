import { z } from 'zod'

/** Base64url of so many letters: the length of a coordinate is fixed by its curve. */
const letters = (length: number) => z.string().regex(new RegExp(`^[\\w-]{${length}}$`))
/** An import would obey them, and fail with a TypeError for some values. */
const refused = { key_ops: z.undefined().optional(), ext: z.undefined().optional() }
const ec = <Crv extends string>(crv: Crv, length: number) =>
  z.object({
    ...{ kty: z.literal('EC'), crv: z.literal(crv), x: letters(length), y: letters(length) },
    ...refused,
  })

const schema = z.discriminatedUnion('crv', [
  ec('P-256', 43),
  ec('P-384', 64),
  ec('P-521', 88),
  z.object({ kty: z.literal('OKP'), crv: z.literal('X25519'), x: letters(43), ...refused }),
])

/**
 * Whether an `epk` header parameter has the shape of a public key (RFC 7518 §4.6.1.1, §6.2.1;
 * RFC 8037 §2). Libraries throw a plain TypeError for some that have not, which must not be taken
 * for a fault of ours. Whether the point lies on the curve is for the import to find out.
 */
export const isEphemeralKey = (epk: unknown): boolean => schema.safeParse(epk).success
