package schemas

// Intents returns what people say when they mean the operation, by language.
// They are put together here, for the search alone: a server starts without.
func (o Operation) Intents() []Intent {
	var out []Intent
	for _, spoken := range []struct {
		language string
		says     map[string][]string
	}{
		{"en", intentsEnglish()}, {"de", intentsGerman()}, {"fr", intentsFrench()},
		{"es", intentsSpanish()}, {"pt", intentsPortuguese()}, {"it", intentsItalian()},
		{"nl", intentsDutch()}, {"pl", intentsPolish()}, {"ja", intentsJapanese()},
		{"zh", intentsChinese()}, {"ko", intentsKorean()},
	} {
		if says := spoken.says[o.Name]; len(says) > 0 {
			out = append(out, Intent{Language: spoken.language, Says: says})
		}
	}
	return out
}
