import type { z } from 'zod'
import type { FeatureVariables } from '../../feature.ts'

/** The values that a vendor's variables have once they are parsed. */
export type VendorValues<V extends FeatureVariables> = {
  readonly [Name in keyof V]: z.infer<V[Name]>
}

/** Signs a token about an account: a compact JWS that the vendor accepts. */
export type SignLicense = (accountId: string) => Promise<string>

/** A third party whose SDK needs a token that only the server may make. */
export interface Vendor<V extends FeatureVariables> {
  /** The environment variables that hold its credentials. */
  readonly variables: V
  /** Says, a sentence each, which variables make no sense together: see feature.ts. */
  readonly contradictions: (isSet: (name: keyof V & string) => boolean) => readonly string[]
  /**
   * @param clock Milliseconds since the epoch.
   * @returns `undefined` if the credentials are not set: then the feature is switched off.
   */
  readonly createSigner: (values: VendorValues<V>, clock: () => number) => SignLicense | undefined
}
