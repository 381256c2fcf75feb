// Package armclient talks to the Microsoft.ManagementPartner provider of Azure
// Resource Manager, api-version 2018-02-01.
//
// [Client] answers what the rest of the program asks: what is linked
// ([Client.Link]), did a write happen ([Client.Apply]), what does the provider
// list, and which roles are held ([Client.Roles]).
//
// Every request passes a gate that stands inside azcore's bearer policy, so that
// it sees the token that is about to leave. The tenant and the identity in the
// token are compared with what was asked for, and a request that is no GET has
// to bring a guard.Permit that fits it. What the gate refuses is not sent.
//
// Reads are repeated at most twice. A write is sent once: after a lost or
// unclear answer the link is read and decides the outcome.
//
// Every error is, or wraps, a *problems.Problem. Text of the server is only in
// its untrusted fields, and azcore's own error texts, which quote URLs and bodies,
// do not leave this package.
package armclient
