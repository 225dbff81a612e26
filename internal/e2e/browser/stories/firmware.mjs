// An image goes up slowly enough to be watched and becomes a target in waves, which halt
// because the first phone does not come back; it is not deleted while it is a target.
import { check, dialogOf, entered, expected, fail, go, picture, shown, toastOf } from '../kit.mjs'

export default async function firmware() {
  const page = await entered()
  await go(page, '/firmware')
  await page.getByRole('button', { name: 'Upload an image' }).click()
  const said = []
  await page.exposeFunction('said', (words) => said.push(words))
  await page.evaluate(() => new MutationObserver(() => window.said(document.querySelector('#sent').textContent)).observe(document.querySelector('#sent'), { childList: true, characterData: true, subtree: true }))
  const line = await page.context().newCDPSession(page)
  await line.send('Network.enable')
  await line.send('Network.emulateNetworkConditions', { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput: 4 << 20 })
  await dialogOf(page).getByLabel('Image', { exact: true }).setInputFiles({ name: 'T46S-66.99.0.1.rom', mimeType: 'application/octet-stream', buffer: Buffer.alloc(6 << 20, 'firmware') })
  await dialogOf(page).getByLabel('Models').fill('T46S')
  await dialogOf(page).getByRole('button', { name: 'Upload' }).click()
  await dialogOf(page).getByText(/[1-9]\d? % sent/).waitFor()
  await picture(page, 'sending')
  await page.getByText('The image is stored.').waitFor()
  if (!said.some((w) => /^[1-9]\d? % sent/.test(w))) fail(`the progress was ${said}`)
  await page.getByRole('button', { name: 'Set a target' }).click()
  await dialogOf(page).getByLabel('Model', { exact: true }).fill('T46S')
  await dialogOf(page).getByLabel('Seconds that a phone may take').fill('3')
  await check(page, 'new-target', false)
  await dialogOf(page).getByRole('button', { name: 'Save' }).click()
  await toastOf(page, 'The rollout has started').waitFor()
  const targets = page.locator('[aria-labelledby=targets]')
  await targets.getByText('66.99.0.1', { exact: true }).waitFor()
  await check(page, 'target')

  // The phone of the first wave does not come back with the new version.
  await targets.locator('.badge.halted').waitFor({ timeout: 60000 })
  await shown(page, '/jobs')
  await page.locator('.badge.halted').waitFor()
  await page.getByText('0 of 2 done, 1 failed').waitFor()
  await check(page, 'halted')
  await page.getByRole('button', { name: 'Go on' }).waitFor()
  await page.getByRole('button', { name: 'Abort' }).click()
  await page.locator('.badge.aborted').waitFor()

  expected.push([/firmware\//, 409])
  await shown(page, '/firmware')
  await page.getByRole('button', { name: 'Delete T46S-66.99.0.1.rom' }).click()
  await dialogOf(page).getByRole('button', { name: 'Delete' }).click()
  await dialogOf(page).locator('.summary:not(:empty)').waitFor()
  await check(page, 'still-a-target', false)
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Offer nothing T46S' }).click()
  await page.getByText('No model has a target').waitFor()
}
