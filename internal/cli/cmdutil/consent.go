package cmdutil

import (
	"github.com/spf13/pflag"

	"mcp-partner/internal/app"
	"mcp-partner/internal/config"
)

// AddConsentFlags adds the consent to send a stored secret to another place.
func AddConsentFlags(c *app.Consent, flags *pflag.FlagSet) {
	flags.BoolVar(&c.OtherAuthority, app.OtherAuthorityFlag, false, "send a stored secret, or its tokens, to an authority or ARM that is new for it")
	config.Typed(flags, app.OtherAuthorityFlag)
}

// AddKeepLinkFlag adds the consent to leave a link of the former identity.
func AddKeepLinkFlag(c *app.Consent, flags *pflag.FlagSet) {
	flags.BoolVar(&c.KeepLink, "keep-link", false, "change the identity without reading the link, and leave the link as it is")
	config.Typed(flags, "keep-link")
}
