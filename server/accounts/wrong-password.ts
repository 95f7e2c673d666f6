/** The password of somebody who is signed in was asked for again, and it was another. */
export class WrongPassword extends Error {
  override readonly name = 'WrongPassword'
}
