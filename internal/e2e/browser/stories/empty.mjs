// The first look: a server that nobody has used yet says on every page what to do.
import { check, entered, shown } from '../kit.mjs'

const said = {
  '': 'There are no phones yet.', phones: 'One that is plugged in shows up by itself', pending: 'No phone is waiting', extensions: 'There are no extensions yet', templates: 'built in',
  firmware: 'No image was uploaded yet', dhcp: 'No phone has asked', settings: 'Nothing here yet', jobs: 'No job was started yet', audit: 'Nothing was done yet',
}

export default async function empty() {
  const page = await entered()
  for (const [name, words] of Object.entries(said)) {
    await shown(page, `/${name}`)
    await page.locator('main').getByText(words).first().waitFor()
    await check(page, name || 'overview')
  }
}
