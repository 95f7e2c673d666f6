/** The fields that say who somebody is: see http/fields.ts. */
import { MAX_EMAIL_LENGTH, MAX_PASSWORD_CODE_UNITS } from '../../protocol/limits.ts'
import { line, text } from '../http/fields.ts'
import { isEmailAddress } from './email.ts'

/** A password, right or wrong. What a new one must be is for the password policy to say. */
export const password = text(MAX_PASSWORD_CODE_UNITS)

/** Any text that is looked up as an address: a malformed one is an unknown one. */
export const emailLookup = text(MAX_EMAIL_LENGTH)

export const email = emailLookup.refine(isEmailAddress, 'must be an e-mail address')

/** What a person is called. */
export const name = line(200)
