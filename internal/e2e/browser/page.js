// A SIP phone in a page, made of JsSIP or of SIP.js: window.phone has start, call
// and answer; what happens is told to window.tell.
import JsSIP from 'jssip'
import { Inviter, Registerer, RegistererState, SessionState, UserAgent } from 'sip.js'

const tell = (event) => window.tell(event)

class JsSIPPhone {
  start({ url, number, user, password }) {
    this.ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(url)], uri: `sip:${number}@pbx.dev`,
      authorization_user: user, password, register_expires: 120,
    })
    this.ua.on('registered', () => tell('registered'))
    this.ua.on('registrationFailed', (e) => tell(`registration failed: ${e.cause}`))
    this.ua.on('newRTCSession', ({ originator, session }) => {
      this.session = session
      if (originator === 'remote') tell('incoming')
      session.on('confirmed', () => tell('established'))
      session.on('ended', () => tell('ended'))
      session.on('failed', (e) => tell(e.originator === 'remote' && e.cause === 'Canceled' ? 'canceled' : `failed: ${e.cause}`))
    })
    this.ua.start()
  }
  call(number) { this.ua.call(`sip:${number}@pbx.dev`, { mediaConstraints: { audio: true, video: false } }) }
  answer() { this.session.answer({ mediaConstraints: { audio: true, video: false } }) }
  hangup() { this.session.terminate() }
}

class SIPJSPhone {
  start({ url, number, user, password }) {
    this.ua = new UserAgent({
      uri: UserAgent.makeURI(`sip:${number}@pbx.dev`), authorizationUsername: user, authorizationPassword: password,
      transportOptions: { server: url }, logLevel: 'error',
      delegate: {
        onInvite: (invitation) => {
          this.watch(invitation)
          invitation.delegate = { onCancel: () => tell('canceled') }
          tell('incoming')
        },
      },
    })
    const registerer = new Registerer(this.ua, { expires: 120 })
    registerer.stateChange.addListener((s) => { if (s === RegistererState.Registered) tell('registered') })
    this.ua.start().then(() => registerer.register()).catch((e) => tell(`failed: ${e}`))
  }
  watch(session) {
    this.session = session
    session.stateChange.addListener((s) => {
      if (s === SessionState.Established) tell('established')
      if (s === SessionState.Terminated) tell('ended')
    })
  }
  call(number) {
    const session = new Inviter(this.ua, UserAgent.makeURI(`sip:${number}@pbx.dev`))
    this.watch(session)
    session.invite().catch((e) => tell(`failed: ${e}`))
  }
  answer() { this.session.accept().catch((e) => tell(`failed: ${e}`)) }
  hangup() { this.session.bye() }
}

window.phone = new { jssip: JsSIPPhone, sipjs: SIPJSPhone }[new URLSearchParams(location.search).get('lib')]()
