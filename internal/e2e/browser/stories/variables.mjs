// A template declares variables; without a declaration the line is marked; the preview
// has their defaults, and a layer of settings fills them.
import { check, dialogOf, entered, need, picture, shown, toastOf } from '../kit.mjs'

export default async function variables() {
  const page = await entered()
  await shown(page, '/templates/yealink-phone')
  await page.getByText(/It may be used/).waitFor()
  await page.locator('.cm-content').click()
  await page.keyboard.press('Control+End')
  await page.keyboard.insertText('features.greeting = {{.Vars.greeting}}\nfeatures.size = {{.Vars.size}}\n')
  await page.getByRole('button', { name: /^Line \d+, column/ }).first().waitFor()
  await check(page, 'undeclared')
  await page.getByLabel('Variables').fill('greeting text Hotel Adler\nsize choice small|large small')
  await page.locator('#rendered').getByText('features.greeting = Hotel Adler').waitFor()
  await page.locator('#rendered').getByText('features.size = small').waitFor()
  await page.getByRole('button', { name: 'Activate' }).click()
  await dialogOf(page).getByRole('button', { name: 'Activate', exact: true }).click()
  await toastOf(page, 'Revision 1 is active').waitFor()
  await picture(page, 'declared')

  await shown(page, '/settings')
  const raw = page.locator('textarea[name=raw]')
  await raw.fill('vars.greeting = Palace\nvars.size = huge')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.locator('.summary').getByText('vars.size').waitFor()
  await check(page, 'refused', false)
  await raw.fill('vars.greeting = Palace\nvars.size = large')
  await page.getByRole('button', { name: 'Save' }).click()
  await toastOf(page, 'Saved').waitFor()
  const id = await need('phone')
  await shown(page, `/phones/${id}`)
  await page.locator('pre').getByText('features.greeting = Palace').waitFor()
  await page.getByText('What the layers make of this phone.').click()
  await page.getByRole('row', { name: /vars\.size large global/ }).waitFor()
  await picture(page, 'filled')
}
