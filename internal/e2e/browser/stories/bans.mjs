// Somebody asks for phones that nobody has; the page shows who, and lifts the ban.
import { check, dialogOf, entered, need, shown, toastOf } from '../kit.mjs'

export default async function bans() {
  const page = await entered()
  await shown(page, '/pending')
  await page.locator('[aria-labelledby=bans]').getByText('None.').waitFor()
  await need('scan')
  const row = page.getByRole('row', { name: /127\.0\.0\.1/ }).filter({ hasText: 'asks for many phones' })
  await row.waitFor()
  await check(page, 'banned')
  await page.getByRole('button', { name: 'Lift 127.0.0.1' }).click()
  await dialogOf(page).getByText('may ask again at once').waitFor()
  await check(page, 'lift', false)
  await dialogOf(page).getByRole('button', { name: 'Lift' }).click()
  await toastOf(page, '127.0.0.1 may ask again').waitFor()
  await row.waitFor({ state: 'detached' })
}
