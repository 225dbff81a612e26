// A phone nobody provisioned is plugged in, adopted on the page and registers.
import { dialogOf, login, need, open, picture, shown } from '../kit.mjs'

export default async function adopt() {
  const page = await open()
  await page.addInitScript(() => { window.setInterval = () => 0 }) // what is seen comes by events, not by looking again
  await page.reload()
  await login(page)
  await shown(page, '/pending')
  await page.getByRole('button', { name: 'Open a window' }).click()
  await dialogOf(page).getByLabel('Network').fill('127.0.0.0/8')
  await dialogOf(page).getByRole('button', { name: 'Open a window' }).click()
  await page.getByText('Open until').waitFor()
  const mac = await need('phone')
  const adopt = page.getByRole('button', { name: `Adopt ${mac}` })
  await adopt.waitFor() // without a reload
  await picture(page, 'waiting')
  await adopt.focus()
  await page.keyboard.press('Enter') // all of it by keyboard
  await dialogOf(page).getByLabel('Extension').fill('999')
  await page.keyboard.press('Enter')
  await dialogOf(page).locator('.wrong:not(:empty)').waitFor()
  await picture(page, 'no-such-extension')
  await dialogOf(page).getByLabel('Extension').fill('101')
  await page.keyboard.press('Enter')
  await page.locator('.facts .badge.registered').waitFor({ timeout: 60000 })
  await page.locator('.key.set .lamp.on').waitFor()
  await page.locator('.timeline').getByText('Register').first().waitFor()
  await picture(page, 'registered')
}
