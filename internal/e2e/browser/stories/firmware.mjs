// An image goes up slowly enough to be watched, becomes a target in waves, and is
// not deleted while it is one.
import { dialogOf, entered, fail, go, picture } from '../kit.mjs'

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
  await dialogOf(page).getByRole('button', { name: 'Save' }).click()
  await page.getByRole('cell', { name: 'T46S', exact: true }).first().waitFor()
  await page.locator('[aria-labelledby=targets]').getByText('66.99.0.1', { exact: true }).waitFor()
  await picture(page, 'target')
}
