package schemas

// intentsOf returns what people say when they mean the tool.
func intentsOf(tool string) []Intent {
	return nil
}
