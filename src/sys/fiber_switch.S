/* void fiber_switch(void **from, void *to): save what the ABI calls callee-saved on the running
 * stack, store its top in *from, and go on at `to`, which an earlier call saved.
 * Ends in pop and an indirect jump: a `ret` on another stack always misses in the return predictor
 * (10 ns instead of 2). The floating point control words are not saved: nothing here changes them.
 *
 * fiber_entry is the first return address on a new stack. Its CFI says that no caller exists, so
 * debuggers and sanitizers end a fiber's backtrace there. fiber_new() lays out the first frame. */

#if defined(__x86_64__)
    .text
    .globl fiber_switch
    .hidden fiber_switch
    .type fiber_switch, @function
    .p2align 4
fiber_switch:
    .cfi_startproc
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    jmp *%rcx
    .cfi_endproc
    .size fiber_switch, . - fiber_switch

    .globl fiber_entry
    .hidden fiber_entry
    .type fiber_entry, @function
    .p2align 4
    .cfi_startproc
    .cfi_undefined %rip
    nop                         /* unwinders look up the address before the return address */
fiber_entry:
    xorl %ebp, %ebp
    movq %rbx, %rdi             /* struct fiber *, put there by fiber_new() */
    call fiber_main
    ud2                         /* fiber_main() does not return */
    .cfi_endproc
    .size fiber_entry, . - fiber_entry

#elif defined(__aarch64__)
    .text
    .globl fiber_switch
    .hidden fiber_switch
    .type fiber_switch, %function
    .p2align 4
fiber_switch:
    .cfi_startproc
    stp x29, x30, [sp, #-160]!
    .cfi_def_cfa_offset 160
    .cfi_offset x29, -160
    .cfi_offset x30, -152
    stp x19, x20, [sp, #16]
    .cfi_offset x19, -144
    .cfi_offset x20, -136
    stp x21, x22, [sp, #32]
    .cfi_offset x21, -128
    .cfi_offset x22, -120
    stp x23, x24, [sp, #48]
    .cfi_offset x23, -112
    .cfi_offset x24, -104
    stp x25, x26, [sp, #64]
    .cfi_offset x25, -96
    .cfi_offset x26, -88
    stp x27, x28, [sp, #80]
    .cfi_offset x27, -80
    .cfi_offset x28, -72
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    ldp x29, x16, [sp], #160
    .cfi_def_cfa_offset 0
    br x16                      /* x16: allowed to land on a BTI pad */
    .cfi_endproc
    .size fiber_switch, . - fiber_switch

    .globl fiber_entry
    .hidden fiber_entry
    .type fiber_entry, %function
    .p2align 4
    .cfi_startproc
    .cfi_undefined x30
    nop
fiber_entry:
    mov x29, #0
    mov x30, #0
    mov x0, x19                 /* struct fiber *, put there by fiber_new() */
    bl fiber_main
    brk #1                      /* fiber_main() does not return */
    .cfi_endproc
    .size fiber_entry, . - fiber_entry

#else
#error "fiber_switch.S knows x86-64 and aarch64; a new processor needs its twenty lines here"
#endif

    .section .note.GNU-stack, "", %progbits
