// The editor of templates: CodeMirror 6 with a small language of text/template, in a
// shadow root, where its style sheets are constructed ones. The page's policy refuses
// <style> elements, which CodeMirror makes in a document.
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { HighlightStyle, StreamLanguage, bracketMatching, syntaxHighlighting } from '@codemirror/language';
import { lintGutter, lintKeymap, setDiagnostics } from '@codemirror/lint';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import { EditorState } from '@codemirror/state';
import { EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';

const words = /^(?:range|if|else|end|with|template|define|block|break|continue|and|or|not|eq|ne|lt|le|gt|ge|len|index|printf|print)\b/;

// language colours what is between {{ and }}; the rest is the phone's own format.
const language = StreamLanguage.define({
  name: 'template',
  startState: () => ({ inside: false, remark: false }),
  token(stream, state) {
    if (state.remark) {
      if (stream.skipTo('*/')) { stream.match('*/'); state.remark = false; } else stream.skipToEnd();
      return 'comment';
    }
    if (!state.inside) {
      if (stream.match('{{')) { stream.match(/^-/); state.inside = true; return 'brace'; }
      if (stream.sol() && stream.match(/^\s*#.*/)) return 'comment';
      if (!stream.skipTo('{{')) stream.skipToEnd();
      return null;
    }
    if (stream.match(/^\s*-?\}\}/)) { state.inside = false; return 'brace'; }
    if (stream.match('/*')) { state.remark = true; return 'comment'; }
    if (stream.match(/^"(?:[^"\\]|\\.)*"|^`[^`]*`/)) return 'string';
    if (stream.match(words)) return 'keyword';
    if (stream.match(/^[.$][\w.]*/)) return 'variableName';
    if (stream.match(/^\d+/)) return 'number';
    if (stream.match(/^\w+/)) return 'name';
    stream.next();
    return null;
  },
  languageData: { commentTokens: { block: { open: '{{/*', close: '*/}}' } } },
});

const colours = HighlightStyle.define([
  { tag: tags.brace, color: 'var(--brand)', fontWeight: '700' }, { tag: tags.keyword, color: 'var(--code-word)' },
  { tag: tags.variableName, color: 'var(--code-name)' }, { tag: tags.string, color: 'var(--good)' },
  { tag: tags.number, color: 'var(--warn)' }, { tag: tags.comment, color: 'var(--soft)' },
]);

const theme = EditorView.theme({
  '&': { color: 'var(--ink)', backgroundColor: 'var(--paper)', fontSize: '.9rem', height: '100%', border: '1px solid var(--soft)', borderRadius: '7px', overflow: 'hidden' },
  '&.cm-focused': { outline: '3px solid var(--focus)', outlineOffset: '1px' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.45' },
  '.cm-content': { caretColor: 'var(--ink)' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-gutters': { backgroundColor: 'var(--back)', color: 'var(--soft)', borderRight: '1px solid var(--line)' },
  '.cm-activeLine': { backgroundColor: 'var(--row)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--select)' },
  '.cm-selectionMatch': { backgroundColor: 'var(--warn-back)' },
  '.cm-panels, .cm-tooltip': { backgroundColor: 'var(--paper)', color: 'var(--ink)', borderColor: 'var(--line)' },
  '.cm-textfield, .cm-button': { backgroundColor: 'var(--paper)', backgroundImage: 'none', color: 'var(--ink)', border: '1px solid var(--soft)' },
  // The marks of the linter are pictures in data: URLs, which the policy refuses too.
  '.cm-lintRange, .cm-lintRange-active': { backgroundImage: 'none', textDecoration: 'underline wavy var(--bad)', textDecorationSkipInk: 'none' },
  '.cm-lintRange-error, .cm-lintRange-warning': { backgroundImage: 'none' },
  '.cm-lint-marker': { width: '.7em', height: '.7em', margin: '.35em .1em', borderRadius: '50%' },
  '.cm-lint-marker-error': { content: 'normal', backgroundColor: 'var(--bad)' },
  '.cm-lint-marker-warning': { content: 'normal', backgroundColor: 'var(--warn)' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--bad)' },
});

/**
 * makeEditor puts an editor into host. label is what screen readers call it; changed is
 * called with the text after every change. Tab leaves the editor, as keys in a page do.
 */
export function makeEditor(host, { text, label, readOnly = false, changed = () => {} }) {
  const root = host.attachShadow({ mode: 'open' });
  const parent = document.createElement('div');
  parent.style.height = '100%';
  root.append(parent);
  const view = new EditorView({
    parent, root,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(), lintGutter(), history(), drawSelection(), bracketMatching(), highlightActiveLine(), highlightSelectionMatches(), search({ top: true }),
        language, syntaxHighlighting(colours), theme, EditorState.readOnly.of(readOnly),
        EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
        keymap.of([...defaultKeymap, ...searchKeymap, ...historyKeymap, ...lintKeymap]),
        EditorView.updateListener.of((u) => { if (u.docChanged) changed(u.state.doc.toString()); }),
      ],
    }),
  });
  return {
    text: () => view.state.doc.toString(),
    setText: (next) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: next } }),
    focus: () => view.focus(),
    /** mark shows faults: { line, column, detail, severity }, line and column from 1. */
    mark(faults) {
      const { doc } = view.state;
      view.dispatch(setDiagnostics(view.state, faults.map(({ line, column, detail, severity = 'error' }) => {
        const at = doc.line(Math.min(Math.max(line || 1, 1), doc.lines));
        const from = Math.min(at.from + Math.max((column || 1) - 1, 0), at.to);
        return { from: from === at.to ? at.from : from, to: at.to, severity, message: detail };
      })));
    },
    /** goTo puts the cursor into a line. */
    goTo(line) {
      const at = view.state.doc.line(Math.min(Math.max(line, 1), view.state.doc.lines));
      view.dispatch({ selection: { anchor: at.from }, scrollIntoView: true });
      view.focus();
    },
    destroy: () => view.destroy(),
  };
}
