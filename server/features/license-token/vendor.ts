import type { z } from 'zod'
import type { FeatureVariables } from '../../feature.ts'

/** The parsed values of a vendor's variables. */
export type VendorValues<V extends FeatureVariables> = {
  readonly [Name in keyof V]: z.infer<V[Name]>
}

/** Signs a token about an account: a compact JWS that the vendor accepts. */
export type SignLicense = (accountId: string) => Promise<string>

/** A third party whose SDK needs a token that only the server may issue. */
export interface Vendor<V extends FeatureVariables> {
  /** The environment variables that hold its credentials. */
  readonly variables: V
  /** One sentence for each contradiction between the variables: see feature.ts. */
  readonly contradictions: (isSet: (name: keyof V & string) => boolean) => readonly string[]
  /**
   * @param clock Milliseconds since the epoch.
   * @returns `undefined` if the credentials are not set, which turns the feature off.
   */
  readonly createSigner: (values: VendorValues<V>, clock: () => number) => SignLicense | undefined
}
