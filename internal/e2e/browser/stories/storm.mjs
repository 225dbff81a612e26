// How a page bears phones that all come back at once; no test, started by hand
// (docs/BENCHMARKS.md):
//   node stories.mjs storm http://127.0.0.1:8080 /usr/bin/chromium DIR < data/admin.key
//   dialtone phone --fleet 2000 --storm --server http://127.0.0.1:8081/ --for 40s
import { entered, picture, shown } from '../kit.mjs'

const seconds = 30

export default async function storm() {
  for (const hash of ['/', '/phones']) {
    const page = await entered()
    await shown(page, hash)
    process.stdout.write(`${hash}: begin\n`)
    const found = await page.evaluate(async (ms) => {
      let long = 0, most = 0, frames = 0, events = 0
      new PerformanceObserver((list) => { for (const e of list.getEntries()) { long += e.duration; most = Math.max(most, e.duration) } }).observe({ entryTypes: ['longtask'] })
      const source = new EventSource('/v1/pbx/events')
      for (const topic of ['registration', 'provisioning', 'call', 'lost']) source.addEventListener(topic, () => events++)
      const began = performance.now()
      while (performance.now() - began < ms) { await new Promise(requestAnimationFrame); frames++ }
      source.close()
      return { events, frames, long: Math.round(long), most: Math.round(most), heap: Math.round(performance.memory.usedJSHeapSize / 1e6) }
    }, seconds * 1000)
    process.stdout.write(`${hash}: ${JSON.stringify(found)}\n`)
    await picture(page, `storm${hash.replace('/', '-')}`, false)
    await page.context().close()
  }
}
