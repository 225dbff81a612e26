// The built-in template has changed since a template was made from it: the page says so,
// merges the three and leaves what both changed to the person.
import { check, dialogOf, entered, picture, shown, toastOf, want } from '../kit.mjs'

export default async function merge() {
  const page = await entered()
  await shown(page, '/templates')
  await page.getByRole('row', { name: /yealink-phone/ }).getByText('behind').waitFor()
  await picture(page, 'behind')
  await shown(page, '/templates/yealink-phone')
  await page.getByText(/It may be used/).waitFor()
  await page.getByRole('button', { name: 'Merge' }).click()
  await toastOf(page, 'Merged').waitFor()
  await page.getByText(/It may be used/).waitFor()
  await page.locator('#rendered').getByText('phone_setting.lcd_logo.mode = 1').waitFor()
  await page.getByRole('button', { name: 'Difference' }).first().click()
  await dialogOf(page).locator('.plus').first().waitFor()
  await check(page, 'merged', false)
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Activate' }).click()
  await dialogOf(page).getByLabel('Note').fill('with the new built-in one')
  await dialogOf(page).getByRole('button', { name: 'Activate', exact: true }).click()
  await page.getByRole('cell', { name: 'with the new built-in one' }).waitFor()
  want(await page.locator('main .badge.behind').count(), 0, 'signs that it is behind')
  await picture(page, 'activated')
}
