// A broken phone is replaced: the new one takes its place and registers; the old one's
// passwords are worth nothing.
import { api, check, dialogOf, entered, need, picture, shown, toastOf, want } from '../kit.mjs'

export default async function replace() {
  const page = await entered()
  const old = (await api(page, '/phones?registered=true')).phones[0]
  await shown(page, `/phones/${old.id}`)
  await page.getByRole('button', { name: 'Replace' }).click()
  await dialogOf(page).getByLabel('MAC address of the new phone').fill('nonsense')
  await page.keyboard.press('Enter')
  await dialogOf(page).locator('.wrong[data-for=macAddress]:not(:empty)').waitFor()
  await check(page, 'refused', false)
  await dialogOf(page).getByLabel('MAC address of the new phone').fill('00:15:65:aa:bb:02')
  await page.keyboard.press('Enter')
  await toastOf(page, 'It is 00:15:65:AA:BB:02 now').waitFor()
  await page.locator('.facts').getByText('00:15:65:AA:BB:02').waitFor()
  want((await api(page, `/phones/${old.id}`)).macAddress, '00:15:65:AA:BB:02', 'the MAC address')
  await picture(page, 'replaced')
  await need('phone')
  await page.locator('.facts .badge.registered').waitFor({ timeout: 60000 })
  await page.locator('.key.set .lamp.on').waitFor()
  await picture(page, 'registered')
}
